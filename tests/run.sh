#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs tests one after the other and adds up what they counted: tests/run.sh PROGRAM...
# A program passes if it exits with 0 and ends with how many of its tests passed, as
# "100%: Checks: 18, Failures: 0, Errors: 0" (Check) or "5 passed, 0 failed[, 1 skipped]"
# (integration tests); one that dies, hangs or says nothing is one failure more.
# *.py are run by python3, *.rules are checked. SMTPSCOPE is the binary they test.
set -u
SMTPSCOPE=${SMTPSCOPE:-./smtpscope}
limit=${TEST_TIMEOUT:-900}
export SMTPSCOPE

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0 skipped=0 names=

run() {
	case $1 in
	*.py) timeout -k 10 "$limit" python3 "$1" ;;
	*.rules) "$SMTPSCOPE" check "$1" && echo "1 passed, 0 failed" ;;
	*) timeout -k 10 "$limit" "$1" ;;
	esac
}

# The last number in front of, or behind, a word of the log's closing line.
number() {
	grep -aE '^[0-9]+%: Checks: |[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1 | sed -nE "s/$1/\1/p"
}

for test; do
	echo "== $test"
	# The status of a pipe's first part is told by its log.
	{ run "$test" </dev/null 2>&1 && echo 0 >"$log.status" || echo $? >"$log.status"; } | tee "$log"
	status=$(cat "$log.status")
	rm -f "$log.status"
	checks=$(number '^[0-9]+%: Checks: ([0-9]+),.*')
	if [ -n "$checks" ]; then
		bad=$(($(number '.*Failures: ([0-9]+).*') + $(number '.*Errors: ([0-9]+).*')))
		good=$((checks - bad))
		left=0
	else
		good=$(number '.*[^0-9]?\b([0-9]+) passed, .*')
		bad=$(number '.* passed, ([0-9]+) failed.*')
		left=$(number '.* ([0-9]+) skipped.*')
	fi
	if [ -z "$good" ]; then
		echo "-- $test ended without its count (exit code $status)"
		good=0 bad=1
	elif [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		echo "-- $test: exit code $status"
		bad=1
	elif [ "$((good + bad + ${left:-0}))" -eq 0 ]; then
		echo "-- $test tested nothing"
		bad=1
	fi
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + ${left:-0}))
	[ "$bad" -eq 0 ] || names="$names $test"
done

[ -z "$names" ] || echo "failed:$names"
[ "$skipped" -eq 0 ] || echo "skipped: $skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
