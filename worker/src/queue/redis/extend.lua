-- ARGV: lease in ms; then of each task: key, token, payload, attempt, order.
local until_then, lost = whole(now + tonumber(ARGV[1])), {}
for at = 2, #ARGV, 5 do
  local key, token, attempts = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 3])
  local task = read(key)
  if task and task.token and task.token ~= token then
    lost[#lost + 1] = key
  else
    if not task then
      task = { payload = ARGV[at + 2], order = tonumber(ARGV[at + 4]), attempts = attempts }
    elseif not holds(task, token) then
      -- Everything was lost and the task was pushed anew: the run under way is not the one asked for.
      remember(task, task.payload, task.order, tonumber(redis.call('ZSCORE', scheduled, key) or now))
      task.attempts = attempts
    end
    redis.call('ZREM', ready, key)
    redis.call('ZREM', scheduled, key)
    redis.call('ZADD', leased, until_then, key)
    task.token, task.reaped = token, nil
    write(key, task)
  end
end
return lost
