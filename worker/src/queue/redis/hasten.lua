-- ARGV: channel, how much earlier everything is due in ms, or -1 to only look.
local by = tonumber(ARGV[2])
local all = redis.call('ZRANGE', scheduled, 0, by < 0 and 0 or -1, 'WITHSCORES')
local early = all[2] and math.max(tonumber(all[2]) - now, 0)
for at = 1, by < 0 and 0 or #all, 2 do
  local task = read(all[at])
  if task then
    wait(all[at], task, math.max(tonumber(all[at + 1]) - by, 0))
  else
    redis.call('ZREM', scheduled, all[at])
  end
end
if by >= 0 and early and early <= by then
  ring(ARGV[1])
end
return early or -1
