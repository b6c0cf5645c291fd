-- KEYS: a lane. ARGV: nothing, to only look; or the new state, how long to keep it in ms, and the state that it
-- replaces.
local held, time, replaced = redis.call('GET', KEYS[1]) or '', redis.call('TIME'), 0
if ARGV[1] and held == ARGV[3] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  replaced = 1
end
return { replaced, time[1], time[2], held }
