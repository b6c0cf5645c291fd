-- ARGV: channel; then of each task: key, payload, deadline in ms or nothing, delay in ms.
for at = 2, #ARGV, 4 do
  local key, payload = ARGV[at], ARGV[at + 1]
  local order = tonumber(ARGV[at + 2]) or (NO_DEADLINE + micros + (at - 2) / 4)
  local run_at = now + tonumber(ARGV[at + 3])
  local task = read(key)
  if not task then
    redis.call('ZREM', dead, key)
    wait(key, { payload = payload, order = order, attempts = 0 }, run_at)
  else
    if task.token or task.reaped then
      remember(task, payload, order, run_at)
    end
    if task.token then
      write(key, task)
    else
      task.order = math.min(task.order, order)
      local waits_until = tonumber(redis.call('ZSCORE', scheduled, key) or now)
      if redis.call('ZSCORE', ready, key) then
        redis.call('ZADD', ready, whole(task.order), key)
        write(key, task)
      else
        wait(key, task, math.min(waits_until, run_at))
      end
    end
  end
end
ring(ARGV[1])
return 0
