-- ARGV: token, how many, lease in ms, how many to look at.
local token, count, lease, bound = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

-- A keeper's tokens begin with its name. A run that comes back to its own keeper is still under way there,
-- and does not answer what was pushed since it began.
local function comes_back(task)
  return task.reaped and string.match(task.reaped, '^(.*)/') == string.match(token, '^(.*)/')
end

local function due(set)
  local keys = redis.call('ZRANGEBYSCORE', set, '-inf', whole(now), 'LIMIT', 0, bound)
  if #keys > 0 then
    redis.call('ZREM', set, unpack(keys))
  end
  return keys
end

for _, key in ipairs(due(leased)) do
  local task = read(key)
  if task then
    task.reaped, task.token = task.token, nil
    if task.again then
      task.order = math.min(task.order, task.again.order)
    end
    wait(key, task, now)
  end
end
for _, key in ipairs(due(scheduled)) do
  local task = read(key)
  if task then
    wait(key, task, now)
  end
end

local taken, reply = redis.call('ZPOPMIN', ready, count), {}
for at = 1, #taken, 2 do
  local key = taken[at]
  local task = read(key)
  if task then
    local resumes = comes_back(task) and task.reaped or ''
    if resumes == '' then
      absorb(task)
    end
    task.token, task.reaped, task.attempts = token, nil, task.attempts + 1
    redis.call('ZADD', leased, whole(now + lease), key)
    write(key, task)
    reply[#reply + 1] = { key, task.payload, task.attempts, whole(task.order), resumes }
  else
    redis.call('HDEL', tasks, key)
  end
end

local next_at = false
for _, set in ipairs({ scheduled, leased }) do
  local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  if head[2] then
    next_at = math.min(next_at or tonumber(head[2]), tonumber(head[2]))
  end
end
return { next_at and math.max(next_at - now, 0) or -1, reply }
