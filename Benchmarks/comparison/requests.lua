-- For wrk: sends the request targets of a file one after the other, from the start again after the last, and prints
-- what happened as one line of JSON.
--
--   wrk ... -s requests.lua http://host:port -- METHOD TARGETS [BODY]
--
-- TARGETS has one target a line (a path with its query); BODY is a file whose content each request carries.

local prepared = {}
local position = 0

function init(arguments)
    local method, targets, body_file = arguments[1], arguments[2], arguments[3]
    local body = nil
    if body_file then
        local file = assert(io.open(body_file, "rb"))
        body = file:read("*a")
        file:close()
    end
    for target in io.lines(targets) do
        prepared[#prepared + 1] = wrk.format(method, target, nil, body)
    end
end

function request()
    position = position % #prepared + 1
    return prepared[position]
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"microseconds":%d,"bytes":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,'
            .. '"p50":%d,"p99":%d}\n',
        summary.requests, summary.duration, summary.bytes, errors.connect, errors.read, errors.write, errors.status,
        errors.timeout, latency:percentile(50), latency:percentile(99)))
end
