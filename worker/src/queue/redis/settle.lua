-- ARGV: channel, dead letters to keep; then of each task: key, token, verdict, delay in ms, attempts.
local late = 0
for at = 3, #ARGV, 5 do
  local key, token, verdict = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local task = read(key)
  if not (task and holds(task, token)) then
    late = late + 1
  else
    redis.call('ZREM', leased, key)
    redis.call('ZREM', ready, key)
    local again = task.again
    if verdict == 'retry' then
      absorb(task)
      task.token, task.reaped, task.attempts = nil, nil, tonumber(ARGV[at + 4])
      wait(key, task, now + tonumber(ARGV[at + 3]))
    elseif again then
      wait(key, { payload = again.payload, order = again.order, attempts = 0 }, again.run_at)
    else
      redis.call('HDEL', tasks, key)
      if verdict == 'bury' then
        redis.call('ZADD', dead, whole(now), key)
        redis.call('ZREMRANGEBYRANK', dead, 0, -1 - tonumber(ARGV[2]))
      end
    end
  end
end
ring(ARGV[1])
return late
