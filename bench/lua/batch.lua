-- A batch of payments a request, with UUIDv7 keys.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

local path = os.getenv("BENCH_PATH")
local accounts, size = common.number("ACCOUNTS"), common.number("SIZE")

function init()
  common.begin()
end

function request()
  local payments = {}
  for i = 1, size do
    local from, to = common.pair(accounts, 0)
    payments[i] = string.format(
      '{"idempotency_key":"%s","from":"bench:%d","to":"bench:%d","amount":"100","currency":"USD"}',
      common.uuid7(), from, to
    )
  end
  return wrk.format("POST", path, nil, '{"payments":[' .. table.concat(payments, ",") .. "]}")
end
