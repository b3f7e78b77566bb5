#!/bin/sh
# The demo: pins what is missing, builds and boots, then shows a boot that fails on purpose. Without apt there are no Debian packages:
# then a kernel is built inside Gentoo's stage3 and booted.
# Tests give another $DEMO_ENGINE and $DEMO_PROJECT.
set -eu
cd "$(dirname "$0")/.."
program=${DEMO_ENGINE:-target/release/engine}
if command -v apt-get >/dev/null; then
    family=Debian addresses='' shown=linux-6.1/x86_64/tinyconfig/gcc/boots/qemu-pc/general
    project=${DEMO_PROJECT:-definitions/demo}
else
    family=Gentoo addresses=linux-6.12/x86_64/boot/gcc-amd64-openrc shown=$addresses/boots/qemu-x86_64-pc/general
    project=${DEMO_PROJECT:-definitions/gentoo}
fi
store=${ENGINE_STORE:-${XDG_CACHE_HOME:-$HOME/.cache}/engine}
export ENGINE_STORE="$store"

say() { printf '\ndemo: %s\n' "$*"; }
engine() { "$program" -C "$project" "$@"; }
now() { date +%s%3N; }

say 'are the pins in engine.lock still on the mirror? What is gone is pinned anew'
engine update --if-gone

say "engine realize $addresses"
begin=$(now)
# shellcheck disable=SC2086 # one word per address, or none
engine realize $addresses
took=$(($(now) - begin))

if [ "$family" = Gentoo ]; then
    cat <<TEXT

  time        $took ms for \`engine realize\`; run \`make demo\` again to see it find nothing to do
  store       $store, $(du -sh "$store" 2>/dev/null | cut -f1)
  look at     $project/results/$shown/console.log
              $project/main.rhai and the files beside it: this is all that was declared
  try         $program -C $project results
              $program -C $project show image:amd64-openrc
  remove      rm -rf $store $project/results $project/engine.lock target
TEXT
    exit 0
fi

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
  look at     $project/results/$shown/console.log
              $project/main.rhai and the files beside it: this is all that was declared
  try         $program -C $project results
              $program -C $project boards --why linux-6.1/x86_64/tinyconfig/gcc qemu-pc-disk
  remove      rm -rf $store $project/results target
TEXT
if [ "$(id -u)" != 0 ]; then
    echo "              (unpacked images belong to ids of yours: unshare --map-root-user --map-auto rm -rf $store)"
fi
