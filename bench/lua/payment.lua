-- One payment a request, each with a key of its own.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

local path = os.getenv("BENCH_PATH")
local accounts, hot_percent = common.number("ACCOUNTS"), common.number("HOT_PERCENT")

function init()
  common.begin()
  local rate = common.number("RATE")
  if rate then
    pace(rate)
  end
end

function request()
  local from, to = common.pair(accounts, hot_percent)
  wrk.headers["Idempotency-Key"] = common.random_key()
  return wrk.format("POST", path, nil, string.format(
    '{"from":"bench:%d","to":"bench:%d","amount":"100","currency":"USD"}', from, to
  ))
end

-- The open model: requests are due at a constant rate, whatever the answers do. The next connection
-- that is free takes the next request that is due; with enough connections one always is.
function pace(rate)
  local every = 1000 * common.number("THREADS") / rate
  local due = nil

  function delay()
    local now = common.now(1)
    due = (due or now) + every
    return math.max(0, due - now)
  end
end
