#!/bin/sh
# The demo: pins what is missing, builds and boots, then shows a boot that fails on purpose.
set -eu
cd "$(dirname "$0")/.."
project=definitions/demo
store=${ENGINE_STORE:-${XDG_CACHE_HOME:-$HOME/.cache}/engine}
export ENGINE_STORE="$store"

say() { printf '\ndemo: %s\n' "$*"; }
engine() { target/release/engine -C "$project" "$@"; }
now() { date +%s%3N; }

say 'are the pins in engine.lock still on the mirror? What is gone is pinned anew'
engine update --if-gone

say 'engine realize'
begin=$(now)
engine realize
took=$(($(now) - begin))

panic=linux-6.1/x86_64/tinyconfig/gcc/qemu-pc/panic
say "engine realize $panic: this kernel is made to panic, so the run must fail"
code=0
engine realize "$panic" || code=$?
if [ "$code" != 1 ]; then
    say "the panic was not reported as a failed boot: exit code $code instead of 1"
    exit 1
fi

pinned=$(awk -F'"' '/^ *"[^ ]+ [^ ]+ [0-9]+ [0-9a-f]+ /{split($2, f, " "); if (!seen[f[4]]++) sum += f[3]}
    END {printf "%d MiB", sum / 1048576}' "$project/engine.lock")
say 'as expected: a failed boot, exit code 1. All in all:'
cat <<TEXT
  downloaded  $pinned of Debian packages, pinned in $project/engine.lock
  time        $took ms for \`engine realize\`; run \`make demo\` again to see it find nothing to do
  store       $store, $(du -sh "$store" 2>/dev/null | cut -f1)
  look at     $project/results/linux-6.1/x86_64/tinyconfig/gcc/boots/qemu-pc/general/console.log
              $project/main.rhai and the files beside it: this is all that was declared
  try         target/release/engine -C $project results
              target/release/engine -C $project boards --why linux-6.1/x86_64/tinyconfig/gcc qemu-pc-disk
  remove      rm -rf $store $project/results target
TEXT
if [ "$(id -u)" != 0 ]; then
    echo "              (unpacked images belong to ids of yours: unshare --map-root-user --map-auto rm -rf $store)"
fi
