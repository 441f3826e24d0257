-- The balance of every account once, in order, on one thread; then it is over.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

local path, accounts = os.getenv("BENCH_PATH"), common.number("ACCOUNTS")
local next_account = 0

function init()
  common.begin()
end

function request()
  if next_account == accounts then
    wrk.thread:stop()
  end
  local wanted = next_account % accounts
  next_account = next_account + 1
  return wrk.format("GET", string.format(path, wanted))
end
