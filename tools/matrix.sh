#!/bin/sh
# All arches of definitions/arches: pins what is missing, builds and boots, prints the table.
# Usage: tools/matrix.sh boot|defconfig [SOURCE]
# What is in the store is not made again, so a run that was stopped goes on where it was.
set -eu
cd "$(dirname "$0")/.."
project=definitions/arches
source=${2:-linux-6.1}
case $1 in
boot) builds="$source/*/boot" ;;
defconfig) builds="$source/*/*defconfig/gcc-*" ;;
*)
    echo "matrix: CONFIGS is \`boot\` or \`defconfig\`, not \`$1\`" >&2
    exit 2
    ;;
esac

engine() { target/release/engine -C "$project" "$@"; }

engine update --if-gone
code=0
engine realize --keep-going "$builds" || code=$?
# 2 and more are faults of the definitions, the machine or the engine: there is no table to trust.
[ "$code" -le 1 ] || exit "$code"
engine matrix "$builds"
