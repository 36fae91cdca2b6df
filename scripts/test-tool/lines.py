# SPDX-License-Identifier: GPL-2.0
"""lines.py FILE: lines that are damaged in all ways, made of those of FILE, to
standard output; how many of them are no good, to standard error."""
import json
import random
import re
import sys

DEPTH = 16
WANTED = ("address", "size", "kind", "cache", "age_ms", "direct", "held_by", "comm", "type",
          "refcount")


def refuse(text):
    raise ValueError(text)


class Members(list):
    """Those of an object, as they stand there."""


def once(pairs):
    names = [name for name, value in pairs if name in WANTED]
    if len(names) != len(set(names)):
        raise ValueError("twice")
    return dict(pairs)


def whole(text):
    """None for what the tool has no use for."""
    return None if text[0] == "-" or int(text) >= 1 << 64 else int(text)


def depth(value):
    if isinstance(value, Members):
        return 1 + max((depth(v) for name, v in value), default=0)
    if isinstance(value, list):
        return 1 + max((depth(v) for v in value), default=0)
    return 0


def is_address(value):
    return isinstance(value, str) and len(value) < 64 and \
        bool(re.fullmatch("0x[0-9a-fA-F]+", value)) and int(value, 16) < 1 << 64


def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool)


def good(line):
    if any(byte < 32 or byte > 126 for byte in line if byte not in b"\t\r"):
        return False
    try:
        # Only in the outermost object may a wanted member not be there twice.
        members = json.loads(line.decode(), parse_constant=refuse, parse_int=whole,
                             object_pairs_hook=Members)
        if not isinstance(members, Members):
            return False
        leak = once(members)
    except (ValueError, RecursionError):
        return False
    return depth(members) <= DEPTH and \
        is_address(leak.get("address")) and is_number(leak.get("size")) and \
        isinstance(leak.get("kind"), str) and is_number(leak.get("age_ms")) and \
        isinstance(leak.get("direct"), bool) and \
        (leak["direct"] or is_address(leak.get("held_by")))


def damaged(lines):
    chance = random.Random(1)
    short = [line[:line.index(b'"trace"')] + b'"trace":["f+0x1/0x2"]}' for line in lines]
    line = short[-1]
    for end in range(len(line)):
        yield line[:end]
        yield line[:end] + line[end + 1:]
    for nr in range(20):
        yield line[:-1] + b',"more":' + b"[" * nr + b"]" * nr + b"}"
        yield line[:-1] + b',"more":' + b'{"a":' * nr + b"0" + b"}" * nr + b"}"
    for value in (b"-1", b"01", b"1.", b"1.5", b".5", b"1e5", b"1E+5", b"1e", b"-", b"-0", b"+1",
                  b"18446744073709551615", b"18446744073709551616", b"9" * 400, b"0x1", b"nul",
                  b"null", b"truE", b"true", b"NaN", b"[]", b"[1,]", b"[,]", b"{}", b'{"a"}',
                  b'{"a":1,}', b"{1:2}", b'"\\u00ff"', b'"\\u12"', b'"\\x41"', b'"\\u0000"',
                  b'"\\uD800\\udc00"', b'"\\', b'"\t"', b'"\xc3\xa9"', b'"' + b"a" * 500 + b'"',
                  b'"0x"', b'"0xg"', b'"0x10000000000000000"', b'"0x1 "', b'" 0x1"', b'""'):
        for name in WANTED + ("more",):
            member = b'"%s":%s' % (name.encode(), value)
            yield re.sub(b'"%s":[^,}]*' % name.encode(), lambda match: member,
                         line[:-1] + b',"more":0}')
            yield line[:-1] + b"," + member + b"}"
    for _ in range(20000):
        line = bytearray(chance.choice(short))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(line))
            part = line[at:at + chance.randint(0, 12)]
            chance.choice((
                lambda: line.__setitem__(at, chance.choice(b'"\\{}[],:0-.etu\x01 \xff')),
                lambda: line.__delitem__(slice(at, at + len(part))),
                lambda: line.__setitem__(slice(at, at), part)))()
        yield bytes(line)


def main():
    with open(sys.argv[1], "rb") as file:
        lines = [line for line in damaged(file.read().splitlines()) if b"\n" not in line]
    sys.stdout.buffer.write(b"".join(line + b"\n" for line in lines))
    print(sum(not good(line) for line in lines), file=sys.stderr)


main()
