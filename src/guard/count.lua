-- Counts events in sliding windows, all or none. Every response is an array of integers.
--
-- A key holds the counter of one subject, a list of five values for each window: how many events are in it, when the
-- oldest of them leave, when the newest leave and how many those are, and a string of records of all others in the order
-- of time: when they leave, and how many they are. Times are Unix milliseconds. Most calls do not look at the records.
--
-- ARGV[1] says what to do. For `take` and `give` numbers follow for each key: for `give` the time and the count to take
-- back, then for both the number of windows, and the maximum and the length of each.

local operation = ARGV[1]

if operation == 'forget' then
    return { redis.call('DEL', unpack(KEYS)) }
end
if operation == 'remember' then
    redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
    return { 1 }
end
if operation == 'recall' then
    return { string.byte(redis.call('GET', KEYS[1]) or '', 1, -1) }
end

local VALUES, RECORD, SIZE = 5, '>I6I4', 10
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min

local time = redis.call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)

local next_argument = 1
local function argument()
    next_argument = next_argument + 1
    return tonumber(ARGV[next_argument])
end

local function read(key)
    local packed = redis.call('GET', key)
    return packed and cmsgpack.unpack(packed) or {}
end

-- Nothing is written before everything was read and decided, so that a server that cannot write changes nothing.
local function write(key, counter)
    local last = now
    for newest = 3, #counter, VALUES do
        last = max(last, counter[newest])
    end
    if last > now then
        redis.call('SET', key, cmsgpack.pack(counter), 'PX', last - now)
    else
        redis.call('DEL', key)
    end
end

-- An event leaves a window as if it had happened at the end of its slot, a 60th of the window: never too early.
local function frees_at(event, length)
    local slot = ceil(length / 60)
    return (floor(event / slot) + 1) * slot + length
end

-- A window as pairs of a time and a count, and back.
local function open(counter, at)
    local pairs_of = {}
    if counter[at] and counter[at] > 0 then
        local records = counter[at + 4]
        for first = 1, #records, SIZE do
            pairs_of[#pairs_of + 1] = { struct.unpack(RECORD, records, first) }
        end
        pairs_of[#pairs_of + 1] = { counter[at + 2], counter[at + 3] }
    end
    return pairs_of
end

local function close(counter, at, pairs_of)
    local number, records = 0, {}
    local newest = { 0, 0 }
    for _, pair in ipairs(pairs_of) do
        if pair[2] > 0 then
            number = number + pair[2]
            if newest[2] > 0 then
                records[#records + 1] = struct.pack(RECORD, newest[1], newest[2])
            end
            newest = pair
        end
    end
    records = table.concat(records)
    local oldest = records == '' and newest[1] or struct.unpack(RECORD, records)
    counter[at], counter[at + 1], counter[at + 2], counter[at + 3], counter[at + 4] =
        number, oldest, newest[1], newest[2], records
end

local counters = {}

if operation == 'give' then
    for index, key in ipairs(KEYS) do
        local counter = read(key)
        local event, count = argument(), argument()
        for window = 0, argument() - 1 do
            local _, length = argument(), argument()
            local at, latest, left = window * VALUES + 1, frees_at(event, length), count
            local pairs_of = open(counter, at)
            for number = #pairs_of, 1, -1 do
                local pair = pairs_of[number]
                if pair[1] <= latest then
                    local taken = min(left, pair[2])
                    pair[2], left = pair[2] - taken, left - taken
                end
            end
            close(counter, at, pairs_of)
        end
        counters[index] = counter
    end
    for index, key in ipairs(KEYS) do
        write(key, counters[index])
    end
    return { 1 }
end

-- Drops what has left the window.
local function expire(counter, at)
    local kept = {}
    for _, pair in ipairs(open(counter, at)) do
        if pair[1] > now then
            kept[#kept + 1] = pair
        end
    end
    close(counter, at, kept)
end

-- After a clock that went back, what lies ahead counts as now, also when it is looked at again later.
local function move_back(counter, at, latest)
    local kept, ahead = {}, { latest, 0 }
    for _, pair in ipairs(open(counter, at)) do
        if pair[1] < latest then
            kept[#kept + 1] = pair
        else
            ahead[2] = ahead[2] + pair[2]
        end
    end
    kept[#kept + 1] = ahead
    close(counter, at, kept)
end

-- How long until so many events have left the window.
local function wait_for(counter, at, excess)
    for _, pair in ipairs(open(counter, at)) do
        excess = excess - pair[2]
        if excess <= 0 then
            return pair[1] - now
        end
    end
end

local moved, latests = {}, {}
local wait, worst_key, worst_window = -1, 0, 0

for index, key in ipairs(KEYS) do
    local counter, latest_of = read(key), {}
    for window = 1, argument() do
        local most, length = argument(), argument()
        local at, latest = (window - 1) * VALUES + 1, frees_at(now, length)
        if not counter[at] then
            close(counter, at, {})
        elseif counter[at] > 0 then
            if counter[at + 1] <= now then
                expire(counter, at)
            end
            if counter[at + 2] > latest then
                move_back(counter, at, latest)
                moved[key] = counter
            end
        end
        if counter[at] >= most then
            local longer = wait_for(counter, at, counter[at] - most + 1)
            if longer > wait then
                wait, worst_key, worst_window = longer, index, window
            end
        end
        latest_of[window] = latest
    end
    counters[index], latests[index] = counter, latest_of
end

if worst_key > 0 then
    for key, counter in pairs(moved) do
        write(key, counter)
    end
    return { 0, wait, worst_key - 1, worst_window - 1 }
end

for index, key in ipairs(KEYS) do
    local counter = counters[index]
    for window, latest in ipairs(latests[index]) do
        local at = (window - 1) * VALUES + 1
        if counter[at] == 0 then
            counter[at + 1], counter[at + 2], counter[at + 3] = latest, latest, 0
        elseif counter[at + 2] < latest then
            counter[at + 4] = counter[at + 4] .. struct.pack(RECORD, counter[at + 2], counter[at + 3])
            counter[at + 2], counter[at + 3] = latest, 0
        end
        counter[at], counter[at + 3] = counter[at] + 1, counter[at + 3] + 1
    end
    write(key, counter)
end
return { 1, now }
