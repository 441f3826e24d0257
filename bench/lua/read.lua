-- One balance a request, of an account drawn at random. The path has a %d for its number.
dofile(os.getenv("BENCH_LUA") .. "/common.lua")

local path, accounts = os.getenv("BENCH_PATH"), common.number("ACCOUNTS")

function init()
  common.begin()
end

function request()
  return wrk.format("GET", string.format(path, math.random(0, accounts - 1)))
end
