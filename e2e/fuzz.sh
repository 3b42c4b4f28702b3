#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME each, one after another, and stops at the first that finds something.
set -euo pipefail
found=0
while IFS=: read -r file target; do
  found=$((found + 1))
  echo "fuzz $(dirname "$file") $target ${FUZZTIME:-5s}"
  go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-5s}"
done < <(git ls-files '*_test.go' | xargs grep -oE '^func Fuzz[A-Za-z0-9_]+' | sed 's/:func /:/' | sort)
if [ "$found" -eq 0 ]; then
  echo "no fuzz target found" >&2
  exit 1
fi
