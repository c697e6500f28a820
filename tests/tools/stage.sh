#!/usr/bin/env bash
# stage.sh NAME COMMAND...: runs the command under a headline and says afterwards how long it took and how it ended.
set -u
name=$1
shift
printf '\n=== %s\n' "$name"
SECONDS=0
"$@"
code=$?
if [ $code -eq 0 ]; then result=ok; else result="FAILED with exit code $code"; fi
printf '=== %s: %s, %d s\n' "$name" "$result" "$SECONDS"
exit $code
