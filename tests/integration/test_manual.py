#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""smtpscope.1 says what the program says: subcommands, options, defaults, events and fields."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMTPSCOPE = os.environ.get("SMTPSCOPE", str(ROOT / "smtpscope"))
MANUAL = (ROOT / "proxy" / "smtpscope.1").read_text().splitlines()
JSON_C = (ROOT / "proxy" / "outputs" / "json.c").read_text()


def section(name):
    """The lines of one section."""
    begin = MANUAL.index(".Sh " + name) + 1
    end = next((i for i in range(begin, len(MANUAL)) if MANUAL[i].startswith(".Sh ")), len(MANUAL))
    return MANUAL[begin:end]


def items(lines):
    """Each .It with the lines behind it."""
    found = []
    for line in lines:
        if line.startswith(".It "):
            found.append((line[4:], []))
        elif found:
            found[-1][1].append(line)
    return found


def words(lines, macro):
    """What is marked by the macro: .Va a , b and .Va c give a, b, c."""
    found = set()
    for line in lines:
        if line.startswith("." + macro + " "):
            line = line.split(" No ")[0]
            found |= {word for word in line.split()[1:] if re.fullmatch(r"[\w-]+", word)}
    return found


def helped(*arguments):
    return subprocess.run([SMTPSCOPE, "help", *arguments], check=True, capture_output=True, text=True).stdout


def commands_of_help():
    return re.findall(r"^  (\w+) +\S", helped(), re.M)


def options_of_help():
    """{(letter, name, value): (commands, default)} as `help` has it."""
    options = {}
    for command in commands_of_help():
        for letter, name, value, meaning in re.findall(
                r"^  (?:-(\w), |    )--([\w-]+)(?: ([A-Z]+))? +(.*)", helped(command), re.M):
            default = re.search(r"\(default: ([^ ]+)\)$", meaning)
            taken = options.setdefault((letter, name, value), (set(), default.group(1) if default else None))
            taken[0].add(command)
    return options


def options_of_manual(commands):
    options = {}
    for head, lines in items(section("OPTIONS")):
        match = re.fullmatch(r"(?:Fl (\w) , )?Fl -([\w-]+)(?: Ar (\w+))?", head)
        assert match, head
        letter, name, value = (group or "" for group in match.groups())
        taken = set(commands)
        if lines[0].startswith(".Pq Cm "):
            taken = set(lines[0][len(".Pq Cm "):].split(" , "))
        default = re.search(r"Default: (\w+)", " ".join(lines))
        options[letter, name, value] = (taken, default.group(1) if default else None)
    return options


def functions(source):
    """{name: body} of a file in KNF."""
    return dict(re.findall(r"^(\w+)\([^;{]*\)\n\{\n(.*?)^\}", source, re.M | re.S))


def fields_of_code():
    """{event: fields}: what each event's function writes, helpers included."""
    bodies = functions(JSON_C)

    def fields(name, seen):
        seen.add(name)
        body = bodies[name]
        found = set(re.findall(r'\b(?!json_type\b)\w+\(out, "(\w+)"', body))
        for table in re.findall(r"char \*const \w+\[\] = \{(.*?)\};", body, re.S):
            found |= set(re.findall(r'"(\w+)"', table))
        for called in re.findall(r"(\w+)\(out\b", body):
            if called in bodies and called not in seen:
                found |= fields(called, seen)
        return found

    events = {}
    for name, function in re.findall(r"\[EVENT_(\w+)\] = (\w+_event)\b", JSON_C):
        event = name.lower().replace("_", "-")
        assert f'json_type(out, "{event}");' in bodies[function], function
        events[event] = fields(function, set())
    return events


def test_subcommands():
    described = {head.removeprefix("Cm ") for head, _ in items(section("DESCRIPTION"))}
    assert described == set(commands_of_help()), described ^ set(commands_of_help())


def test_options():
    there, described = options_of_help(), options_of_manual(commands_of_help())
    assert len(there) > 20, there
    assert set(there) == set(described), set(there) ^ set(described)
    for option, (commands, _) in there.items():
        assert commands == described[option][0], (option, commands, described[option][0])


def test_defaults():
    described = options_of_manual(commands_of_help())
    checked = 0
    for option, (_, default) in options_of_help().items():
        if default is None or not default[0].isdigit():
            continue
        assert described[option][1] == default, (option, default, described[option][1])
        checked += 1
    assert checked >= 6, checked


def test_events():
    code = fields_of_code()
    manual = {head.removeprefix("Ic "): words(lines, "Va") for head, lines in items(section("EVENTS"))
              if head.startswith("Ic ")}
    assert len(code) >= 13, code
    assert set(code) == set(manual), set(code) ^ set(manual)
    for event, fields in code.items():
        assert fields - manual[event] == set(), f"{event}: not in the manual: {fields - manual[event]}"
        beyond = {field for field in manual[event] - fields if not field.endswith(("_base64", "_octets", "SIZE"))}
        assert beyond == set(), f"{event}: not in the code: {beyond}"


def test_rules_of_readme():
    """Each rule that README.md shows is right."""
    found = re.findall(r"^    rule .*?^    }$", (ROOT / "README.md").read_text(), re.M | re.S)
    assert len(found) >= 2, found
    done = subprocess.run([SMTPSCOPE, "check", "-"], input="\n".join(found), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def main():
    passed = failed = 0
    for name, test in sorted(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            passed += 1
        except AssertionError as reason:
            failed += 1
            print(f"{name}: {reason}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
