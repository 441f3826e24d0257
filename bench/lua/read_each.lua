-- The balance of one account after another, from a first one on, on one thread.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

local path, accounts = os.getenv("BENCH_PATH"), common.number("ACCOUNTS")
local next_account = common.number("FIRST")

function init()
  common.begin()
end

function request()
  local wanted = next_account % accounts
  next_account = next_account + 1
  return wrk.format("GET", string.format(path, wanted))
end
