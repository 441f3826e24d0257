-- What the scripts share. Each thread has a Lua state of its own, with a number and a seed.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } bench_time;
  int clock_gettime(int clock, bench_time *time);
]]

common = {}

local threads = 0
local time = ffi.new("bench_time")

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function common.begin()
  math.randomseed(tonumber(os.getenv("BENCH_SEED")) + 7919 * number)
  wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY")
  wrk.headers["Content-Type"] = "application/json"
end

function common.number(name)
  return tonumber(os.getenv("BENCH_" .. name))
end

-- Milliseconds; 0: by the calendar, 1: from some moment on.
function common.now(clock)
  ffi.C.clock_gettime(clock, time)
  return tonumber(time.seconds) * 1000 + tonumber(time.nanoseconds) / 1e6
end

-- Two different accounts; of every hundred payments so many go to account 0.
function common.pair(accounts, hot_percent)
  local from = math.random(0, accounts - 1)
  if math.random(0, 99) < hot_percent then
    return math.random(1, accounts - 1), 0
  end
  return from, (from + math.random(1, accounts - 1)) % accounts
end

function common.random_key()
  return string.format("bench-%.0f", math.random(1, 9e15))
end

function common.uuid7()
  local ms = math.floor(common.now(0))
  return string.format(
    "%08x-%04x-7%03x-%04x-%04x%08x",
    math.floor(ms / 65536), ms % 65536, math.random(0, 0xfff), math.random(0x8000, 0xbfff),
    math.random(0, 0xffff), math.random(0, 0x7fffffff)
  )
end

function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    'bench {"requests": %d, "refused": %d, "lost": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f}',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000
  ))
end
