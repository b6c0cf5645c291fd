-- What the scripts share. One hash holds every task, packed, so that each key a script touches is declared.
--
-- task.token    whose lease it is; absent while the task waits
-- task.reaped   whose lease it was until it ran out; that worker may still be at work
-- task.again    what was pushed while the task was leased
local ready, scheduled, leased, tasks, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local NO_DEADLINE = 4000000000000000
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local rung = false

local function whole(number)
  return string.format('%.0f', number)
end

-- A task that cannot be read is treated as one that is not there: an error would stop the whole queue.
local function read(key)
  local packed = redis.call('HGET', tasks, key)
  if packed then
    local readable, task = pcall(cmsgpack.unpack, packed)
    if readable and type(task) == 'table' and task.payload and task.order and task.attempts then
      return task
    end
  end
end

local function write(key, task)
  redis.call('HSET', tasks, key, cmsgpack.pack(task))
end

local function wait(key, task, run_at)
  if run_at > now then
    redis.call('ZREM', ready, key)
    redis.call('ZADD', scheduled, whole(run_at), key)
  else
    task.since = now
    redis.call('ZREM', scheduled, key)
    redis.call('ZADD', ready, whole(task.order), key)
    rung = true
  end
  write(key, task)
end

local function remember(task, payload, order, run_at)
  local again = task.again
  if again then
    order, run_at = math.min(order, again.order), math.min(run_at, again.run_at)
  end
  task.again = { payload = payload, order = order, run_at = run_at }
end

-- The run that starts next also answers what was pushed during the last one.
local function absorb(task)
  if task.again then
    task.payload, task.order = task.again.payload, math.min(task.order, task.again.order)
    task.again = nil
  end
end

local function holds(task, token)
  return task.token == token or task.reaped == token
end

local function ring(channel)
  if rung then
    redis.call('PUBLISH', channel, '')
  end
end

