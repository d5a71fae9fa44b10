using System.Security.Cryptography;
using System.Text;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// A Lua script: one atomic step on keys of one slot. Scripts take the time from the server, so that gateways with different clocks agree.
/// Needs Redis 6.2 (<c>PXAT</c>, <c>GETEX</c>).
/// </summary>
internal sealed class Script(string text)
{
    /// <summary>
    /// The document of a device and the time, in one round trip. <c>GETEX</c> without an option reads like <c>GET</c>, but counts as a
    /// write, so a demoted primary refuses it. Clients learn of a demotion only after seconds, and would read revoked devices as they were
    /// before. A value that is no string is returned as an empty one, which is no document either.
    /// </summary>
    public static Script Get { get; } = new(
        """
        local value = redis.pcall('GETEX', KEYS[1])
        if type(value) == 'table' then
          if not string.find(value.err, 'WRONGTYPE', 1, true) then return value end
          value = ''
        end
        return {value, redis.call('TIME')}
        """);

    /// <summary>
    /// <see cref="Get"/>, and in the same step marks a name as used: in the device's slot, for a while, by the server's clock. Nothing is marked if there is no
    /// document: strangers could fill the server. Takes the document, the mark, and the number of the device's marks; the milliseconds, and how many marks a
    /// device may have whose document stays, and any other. Returns the document and the time; and 0 if nothing is marked, 1 if the name is marked now, 2 if
    /// it was before, 3 if there are too many. The number begins anew when its first mark goes, so twice as many are possible. The document is read last:
    /// a full server refuses only the first write of a script, and would take marks beyond its bound after a <c>GETEX</c>.
    /// </summary>
    public static Script GetOnce { get; } = new(
        """
        local mark, left = 0, redis.call('PTTL', KEYS[1])
        if left ~= -2 then
          local count = tonumber(redis.call('GET', KEYS[3]) or 0)
          local room = count < tonumber(left == -1 and ARGV[2] or ARGV[3])
          local made = room and redis.pcall('SET', KEYS[2], '', 'NX', 'PX', ARGV[1])
          if made and not made.err then
            mark = 1
            if count == 0 then
              redis.call('SET', KEYS[3], 1, 'PX', ARGV[1])
            else
              redis.call('SET', KEYS[3], count + 1, 'KEEPTTL')
            end
          elseif redis.call('EXISTS', KEYS[2]) == 1 then
            mark = 2
          elseif made then
            return made
          else
            mark = 3
          end
        end
        local value = redis.pcall('GETEX', KEYS[1])
        if type(value) == 'table' then
          if not string.find(value.err, 'WRONGTYPE', 1, true) then return value end
          value = ''
        end
        return {value, redis.call('TIME'), mark}
        """);

    /// <summary>The version of a document. Read with <c>GETEX</c> for the same reason.</summary>
    public static Script Version { get; } = new(
        """
        local current = redis.call('GETEX', KEYS[1])
        return current and string.match(current, '^[^\n]*')
        """);

    /// <summary>The document of a device, the milliseconds it has left (negative: no end) and the time.</summary>
    public static Script Export { get; } = new(
        """
        return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), redis.call('TIME')}
        """);

    /// <summary>
    /// Replaces a document, and announces it. The version stands before the document, on a line of its own, so the script parses no JSON.
    /// Takes the expected first line (empty: no document), the new value, its expiry (empty: none), a channel (empty: none) and a message;
    /// whether it is a restriction (empty: no), whether that must be confirmed (empty: no), and the <see cref="Fingerprint"/> of a damaged
    /// document instead of the first line (empty: it is not damaged). With a second key it also marks a name as used, for the milliseconds
    /// of the last argument. Returns nil if another document is there, <c>used</c> if the name was used before, else the replication id of
    /// the primary's data if it must be confirmed. A full server lets a script write on after it has freed memory, so a restriction is
    /// written even then.
    /// </summary>
    public static Script Swap { get; } = new(
        """
        local current = ARGV[8] ~= '' and redis.call('DUMP', KEYS[1]) or ARGV[8] == '' and redis.call('GET', KEYS[1])
        if ARGV[8] ~= '' then
          if not current or redis.sha1hex(current) ~= ARGV[8] then return false end
        elseif current then
          if ARGV[1] == '' or string.sub(current, 1, #ARGV[1]) ~= ARGV[1] then return false end
        elseif ARGV[1] ~= '' then
          return false
        end
        if KEYS[2] and not redis.call('SET', KEYS[2], '', 'NX', 'PX', ARGV[9]) then return 'used' end
        local lineage = ''
        if ARGV[7] ~= '' then lineage = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') end
        if current and ARGV[6] ~= '' then redis.call('DEL', KEYS[1]) end
        if ARGV[3] == '' then
          redis.call('SET', KEYS[1], ARGV[2])
        else
          redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
        end
        if ARGV[4] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
        return lineage
        """);

    /// <summary>
    /// Writes a document's own expiry again: no change, but a write that goes to the replicas, so that <c>WAIT</c> has something to wait
    /// for (since Redis 7.2 it considers only the last write of its own connection), and that a full server accepts. Returns the
    /// replication id of the primary's data; nil if the document is gone.
    /// </summary>
    public static Script Stamp { get; } = new(
        """
        local remaining = redis.call('PTTL', KEYS[1])
        if remaining == -2 then return false end
        redis.call('PEXPIRE', KEYS[1], remaining > 0 and remaining or 60000)
        if remaining == -1 then redis.call('PERSIST', KEYS[1]) end
        return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
        """);

    /// <summary>The SHA-1 of the value under a key, of any type; empty if there is none.</summary>
    public static Script Fingerprint { get; } = new(
        """
        local dump = redis.call('DUMP', KEYS[1])
        return dump and redis.sha1hex(dump) or ''
        """);

    /// <summary>
    /// Enters a device into the index, and for a while a key beside it that marks this. Takes the device and the milliseconds.
    /// </summary>
    public static Script EnterDevice { get; } = new(
        """
        redis.call('SET', KEYS[2], '', 'PX', ARGV[2])
        return redis.call('ZADD', KEYS[1], 0, ARGV[1])
        """);

    /// <summary>Removes a device from the index, unless it was entered a short time ago.</summary>
    public static Script LeaveDevice { get; } = new(
        """
        if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
        return redis.call('ZREM', KEYS[1], ARGV[1])
        """);

    /// <summary>
    /// Enters a request into a sorted set by expiry, if there is room after expired ones are removed. A request that is already in it moves
    /// even without room. Takes the member, its expiry and the room (empty: no limit). The set expires with its last member.
    /// </summary>
    public static Script Enter { get; } = new(
        """
        local time = redis.call('TIME')
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
        if ARGV[3] ~= '' and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
          return 0
        end
        redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
        redis.call('PEXPIREAT', KEYS[1], redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
        return 1
        """);

    /// <summary>
    /// Enters a member into a sorted set for a while, if there is room after expired ones are removed. Takes the member, the room, and the
    /// milliseconds. A member that is already in it stays for longer. The set expires with its last member.
    /// </summary>
    public static Script EnterPairing { get; } = new(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
        if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
        redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
        redis.call('PEXPIRE', KEYS[1], ARGV[3])
        return 1
        """);

    /// <summary>Enters a member into a sorted set, if it is already in it or there is room. Takes the member and the room.</summary>
    public static Script EnterBounded { get; } = new(
        """
        if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
        redis.call('ZADD', KEYS[1], 0, ARGV[1])
        return 1
        """);

    /// <summary>The members of a sorted set that have not expired, and the time.</summary>
    public static Script List { get; } = new(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        return {redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf'), time}
        """);

    /// <summary>
    /// Notes when a device was seen, in the place that <see cref="Documents"/> keeps for it at the end of a document with a grant or
    /// another approval. Takes a time as <see cref="Documents"/> writes it. Neither version nor expiry change.
    /// </summary>
    public static Script Touch { get; } = new(
        """
        local seen = redis.call('GETRANGE', KEYS[1], -#ARGV[1], -1)
        if not string.find(seen, '^\n%d+$') or seen >= ARGV[1] then return 0 end
        redis.call('SETRANGE', KEYS[1], redis.call('STRLEN', KEYS[1]) - #ARGV[1], ARGV[1])
        return 1
        """);

    /// <summary>
    /// Appends entries to capped streams, with ids that are greater than every one in any of them. The last key has the number of the
    /// writer's last batch, so that a batch is not appended twice if the writer does not know whether it arrived. Takes the batch's number,
    /// how many entries to keep, the greatest second half of an id, how many bytes to keep, and then alternately a stream and an entry.
    /// Each entry stores how many bytes the stream has ever been given, so the first and last entry give the kept bytes. Entries of older
    /// gateways lack it: then the script estimates by the first and the last fifty, and removes a thousand at a time, unless the server is
    /// short of memory. Past three quarters of <c>maxmemory</c> the third stream (strangers) stops growing, past 85 % the second (devices),
    /// and past 90 % the fourth (changes): older entries make room until a 64th of <c>maxmemory</c> is left of it, and past 95 % all of it;
    /// entries that find no room then are left out. Operators' entries are written even if the server is full: it lets a script write on
    /// after a write that needs no memory. Returns how many entries were left out, and, if the server is that full, the memory it uses and
    /// its <c>maxmemory</c> (else 0); and why trimming was refused.
    /// </summary>
    public static Script AppendAudit { get; } = new(
        """
        if tonumber(redis.call('GET', KEYS[#KEYS]) or 0) >= tonumber(ARGV[1]) then return {0, 0, 0, ''} end
        redis.call('PEXPIRE', KEYS[#KEYS], 86400000)
        local memory = redis.call('INFO', 'memory')
        local used = tonumber(string.match(memory, '\nused_memory:(%d+)') or 0)
        local most = tonumber(string.match(memory, '\nmaxmemory:(%d+)') or 0)
        local shares = {math.huge, 0.85, 0.75, 0.9}
        local added, sums, without, leftOut, refusal = {0, 0, 0, 0}, {}, {}, 0, ''
        for i = 5, #ARGV, 2 do
          local s = tonumber(ARGV[i])
          added[s] = added[s] + #ARGV[i + 1]
        end
        local function bytes(key, last)
          local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
          if not first then return 0, 0 end
          local from, to = tonumber(first[2][4]), tonumber(last[2][4])
          if from and to and to >= from then return to - from + #first[2][2], to, true end
          local some, count = 0, 0 -- older gateways have written no sums
          for _, ends in ipairs({redis.call('XRANGE', key, '-', '+', 'COUNT', 50), redis.call('XREVRANGE', key, '+', '-', 'COUNT', 50)}) do
            for _, entry in ipairs(ends) do some, count = some + #entry[2][2], count + 1 end
          end
          local guess = math.floor(some / count * redis.call('XLEN', key))
          return guess, to or guess, false
        end
        local time = redis.call('TIME')
        local ms, seq = time[1] * 1000 + math.floor(time[2] / 1000), -1
        for i = 1, #KEYS - 1 do
          sums[i] = 0
          local last = redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
          if last then
            local m, s = string.match(last[1], '(%d+)-(%d+)')
            m, s = tonumber(m), tonumber(s)
            if m > ms or (m == ms and s > seq) then ms, seq = m, s end
          end
          local kept, limit, exact = 0, tonumber(ARGV[4]) - added[i], true
          if last then kept, sums[i], exact = bytes(KEYS[i], last) end
          local short = most > 0 and used > most * shares[i]
          local full = short and used > most * 0.95
          if short then
            local less = i == 3 and full and kept / 2 or kept - 2 * added[i] - 4096
            limit = math.min(limit, full and less or math.max(less, most / 64 - added[i]))
          end
          local before = kept
          for _ = 1, 16 do
            local length = redis.call('XLEN', KEYS[i])
            if kept <= limit or length < 2 then break end
            local left = math.max(1, math.min(length - 1, math.floor(length * limit / kept)))
            if not exact and not short then left = math.max(left, length - 1000) end
            local answer = redis.pcall('XTRIM', KEYS[i], 'MAXLEN', left)
            if type(answer) == 'table' then
              refusal = answer.err
              break
            end
            if not exact and not short then break end -- a guess that is wrong costs little, and the next batch goes on
            kept, _, exact = bytes(KEYS[i], last)
          end
          without[i] = short and (refusal ~= '' or full and before < added[i])
        end
        for i = 5, #ARGV, 2 do
          local s = tonumber(ARGV[i])
          if without[s] then
            leftOut = leftOut + 1
          else
            seq = seq + 1
            if seq > tonumber(ARGV[3]) then ms, seq = ms + 1, 0 end
            sums[s] = sums[s] + #ARGV[i + 1]
            redis.call('XADD', KEYS[s], 'MAXLEN', '~', ARGV[2], string.format('%.0f-%.0f', ms, seq), 'entry', ARGV[i + 1], 'sum', string.format('%.0f', sums[s]))
          end
        end
        redis.call('SET', KEYS[#KEYS], ARGV[1], 'EX', 86400)
        local scarce = most > 0 and used > most * shares[3]
        return {leftOut, scarce and used or 0, scarce and most or 0, refusal}
        """);

    /// <summary>The newest entries of each stream, newest first. Takes the first id and the number of entries.</summary>
    public static Script ListAudit { get; } = new(
        """
        local found = {}
        for i, key in ipairs(KEYS) do found[i] = redis.call('XREVRANGE', key, ARGV[1], '-', 'COUNT', ARGV[2]) end
        return found
        """);

    /// <summary>
    /// The oldest entries of each stream, oldest first; and the first ids of those streams that have dropped earlier entries: their first
    /// entry's sum is greater than its own size. Takes the first id, the number of entries, and how many a stream must hold before it drops
    /// any, for entries without a sum.
    /// </summary>
    public static Script ReadAudit { get; } = new(
        """
        local found, oldest = {}, {}
        for i, key in ipairs(KEYS) do
          found[i] = redis.call('XRANGE', key, ARGV[1], '+', 'COUNT', ARGV[2])
          local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
          local sum = first and tonumber(first[2][4])
          if first and (sum and sum > #first[2][2] or not sum and redis.call('XLEN', key) >= tonumber(ARGV[3])) then oldest[#oldest + 1] = first[1] end
        end
        return {found, oldest}
        """);

    /// <summary>The documents of a group with the time at which each expires, and the time.</summary>
    public static Script ListShared { get; } = new(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        return {redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf', 'WITHSCORES'), time}
        """);

    /// <summary>
    /// Replaces a document of a group, after expired ones are removed. A member is name, version and content, each behind a line feed. Takes
    /// the name, the expected version (empty: no document) and the version and content, each with its line feeds; the expiry, and the room.
    /// Returns 0 if another document is there, -1 if there is no room. The group expires with its last document.
    /// </summary>
    public static Script SwapShared { get; } = new(
        """
        local time = redis.call('TIME')
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
        local members, current = redis.call('ZRANGE', KEYS[1], 0, -1), nil
        for _, member in ipairs(members) do
          if string.sub(member, 1, #ARGV[1]) == ARGV[1] then current = member end
        end
        if current then
          if ARGV[2] == '' or string.sub(current, #ARGV[1] + 1, #ARGV[1] + #ARGV[2]) ~= ARGV[2] then return 0 end
          redis.call('ZREM', KEYS[1], current)
        elseif ARGV[2] ~= '' then
          return 0
        elseif #members >= tonumber(ARGV[5]) then
          return -1
        end
        redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1] .. ARGV[3])
        redis.call('PEXPIREAT', KEYS[1], redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
        return 1
        """);

    public string Text { get; } = text;

    public byte[] Hash { get; } = SHA1.HashData(Encoding.UTF8.GetBytes(text));
}
