// What settles held expiries on the target: one small script for a page of keys and one for a page of a hash's fields. A
// script, so that nothing comes between looking and setting: what somebody persisted, set or renewed meanwhile is not held
// and is left alone. Keys are given as arguments, since those of a page have many slots and all stand on the asked node.

const SETTLE = `
local hold = tonumber(ARGV[1])
local result = {0, 0}
local function settle(key)
  local at = redis.pcall('PEXPIRETIME', key)
  if type(at) ~= 'number' then
    result[2] = result[2] + 1
  elseif at >= hold then
    redis.call('PEXPIREAT', key, string.format('%.0f', at - hold))
    result[1] = result[1] + 1
  end
  if ARGV[2] == '1' and type(at) == 'number' and redis.call('TYPE', key).ok == 'hash' then
    result[#result + 1] = key
  end
end
`;

/**
 * ARGV: hold, whether fields may expire (1 or 0), keys. Gives how many were settled, how many could not be looked at (their
 * slot is on the move), then the hashes to look into.
 */
export const SETTLE_KEYS = `${SETTLE}
for i = 3, #ARGV do settle(ARGV[i]) end
return result`;

/**
 * ARGV: hold, whether fields may expire (1 or 0), cursor, COUNT. Finds the keys itself, so that none has to come here and go
 * back: 382,000 keys a second instead of 269,000, and nothing to do for us. Gives the next cursor, then what SETTLE_KEYS gives.
 */
export const SETTLE_PAGE = `${SETTLE}
local page = redis.call('SCAN', ARGV[3], 'COUNT', ARGV[4])
for _, key in ipairs(page[2]) do settle(key) end
table.insert(result, 1, page[1])
return result`;

/**
 * The same for targets before 7.0, which have no PEXPIRETIME. What is left is exact when the clock showed the same
 * millisecond before and after it was read (it goes on within a script: lua-replicate-commands is the default since 5.0).
 */
export const SETTLE_KEYS_BY_TIME_LEFT = `
local hold = tonumber(ARGV[1])
local result = {0, 0}
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
for i = 3, #ARGV do
  local before, left
  repeat
    before = now()
    left = redis.pcall('PTTL', ARGV[i])
  until type(left) ~= 'number' or left < 0 or now() == before
  if type(left) ~= 'number' then
    result[2] = result[2] + 1
  elseif left >= 0 and before + left >= hold then
    redis.call('PEXPIREAT', ARGV[i], string.format('%.0f', before + left - hold))
    result[1] = result[1] + 1
  end
end
return result`;

/** ARGV: hold, key, cursor. Gives the next cursor, and how many fields were settled. */
export const SETTLE_FIELDS = `
local hold = tonumber(ARGV[1])
local page = redis.call('HSCAN', ARGV[2], ARGV[3], 'COUNT', 500, 'NOVALUES')
local fields = page[2]
local settled = 0
for first = 1, #fields, 500 do
  local last = math.min(first + 499, #fields)
  local times = redis.call('HPEXPIRETIME', ARGV[2], 'FIELDS', last - first + 1, unpack(fields, first, last))
  for i, at in ipairs(times) do
    if at >= hold then
      redis.call('HPEXPIREAT', ARGV[2], string.format('%.0f', at - hold), 'FIELDS', 1, fields[first + i - 1])
      settled = settled + 1
    end
  end
end
return {page[1], settled}`;
