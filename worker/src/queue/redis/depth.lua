-- Nobody waits longer than the head of the line, or the first of those without a deadline.
local age = -1
local function look(keys)
  local task = keys[1] and read(keys[1])
  if task then
    age = math.max(age, now - (task.since or now))
  end
end
look(redis.call('ZRANGE', ready, 0, 0))
look(redis.call('ZRANGEBYSCORE', ready, whole(NO_DEADLINE), '+inf', 'LIMIT', 0, 1))
return {
  redis.call('ZCARD', ready), redis.call('ZCARD', scheduled), redis.call('ZCARD', leased),
  redis.call('ZCARD', dead), age,
}
