#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME each (a duration, or a number of inputs such as 20000x, which no load on the machine changes), one after another, and stops at the first that finds something. With SHORT=1 it leaves out
# packages that link DuckDB or Iceberg: the fuzzer instruments all that a package links, which takes minutes there. Their seeds run with the other tests.
set -euo pipefail
ran=0
while IFS=: read -r file target; do
  pkg="./$(dirname "$file")"
  if [ "${SHORT:-}" ] && [[ "$(go list -deps -test "$pkg")" =~ duckdb-go|iceberg-go ]]; then
    echo "fuzz $pkg $target: left to make fuzz"
    continue
  fi
  ran=$((ran + 1))
  echo "fuzz $pkg $target ${FUZZTIME:-20000x}"
  go test "$pkg" -run '^$' -fuzz "^$target\$" -fuzzminimizetime 1x -fuzztime "${FUZZTIME:-20000x}"
done < <(git ls-files '*_test.go' | xargs grep -oE '^func Fuzz[A-Za-z0-9_]+' | sed 's/:func /:/' | sort)
if [ "$ran" -eq 0 ]; then
  echo "no fuzz target ran" >&2
  exit 1
fi
