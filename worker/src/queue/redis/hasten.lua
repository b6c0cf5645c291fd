-- ARGV: channel, how early at most in ms, or -1 to only look.
local head = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local early = head[2] and math.max(tonumber(head[2]) - now, 0)
if early and early <= tonumber(ARGV[2]) then
  local task = read(head[1])
  if task then
    wait(head[1], task, now)
  else
    redis.call('ZREM', scheduled, head[1])
  end
  ring(ARGV[1])
end
return early or -1
