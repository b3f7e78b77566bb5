#!/bin/sh
# Brings a machine to where `make` can build, test and measure the engine. Safe to repeat: what is
# there is left alone. Usage: tools/setup.sh build|matrix|test|bench
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "this needs root, and there is no sudo. As root, run: $*"
        exit 1
    fi
}

# The package with a program, by column: Gentoo, Fedora, Arch.
package() {
    case $1 in
    curl) set -- "$2" net-misc/curl curl curl ;;
    gcc) set -- "$2" sys-devel/gcc gcc gcc ;;
    make) set -- "$2" dev-build/make make make ;;
    newuidmap) set -- "$2" sys-apps/shadow shadow-utils shadow ;;
    qemu-system-x86_64) set -- "$2" app-emulation/qemu qemu-system-x86-core qemu-system-x86 ;;
    qemu-system-*) set -- "$2" app-emulation/qemu qemu qemu-full ;;
    qemu-aarch64-static) set -- "$2" app-emulation/qemu qemu-user-static qemu-user-static ;;
    busybox) set -- "$2" sys-apps/busybox busybox busybox ;;
    kill) set -- "$2" sys-process/procps procps-ng procps-ng ;;
    script | setpriv) set -- "$2" sys-apps/util-linux util-linux util-linux ;;
    git) set -- "$2" dev-vcs/git git-core git ;;
    gpg | gpg-agent) set -- "$2" app-crypt/gnupg gnupg2 gnupg ;;
    pip3) set -- "$2" dev-python/pip python3-pip python-pip ;;
    xz) set -- "$2" app-arch/xz-utils xz xz ;;
    *) set -- "$2" "$1" "$1" "$1" ;;
    esac
    shift "$1"
    echo "$1"
}

# Host programs by Debian package; README.md has other distributions' names.
packages='ca-certificates curl gcc libc6-dev make git mmdebstrap apt-utils debian-archive-keyring qemu-system-x86 uidmap'
programs='curl gcc make git mmdebstrap apt-ftparchive qemu-system-x86_64 newuidmap'
if [ "$1" = matrix ] || [ "$1" = test ]; then
    packages="$packages qemu-system-arm qemu-system-mips qemu-system-ppc qemu-system-sparc qemu-system-misc"
    programs="$programs qemu-system-arm qemu-system-mips qemu-system-ppc qemu-system-sparc64 qemu-system-m68k"
fi
if [ "$1" = test ]; then
    packages="$packages busybox-static bsdutils procps util-linux qemu-user-static gpg gpg-agent python3 python3-pip xz-utils"
    # A LAVA lab of the tests' own. Where these cannot be had its tests say so and skip.
    packages="$packages lava-server lava-dispatcher postgresql tftpd-hpa cpio"
    programs="$programs busybox kill script setpriv qemu-aarch64-static gpg gpg-agent pip3 xz"
fi
if [ "$1" = bench ]; then
    packages="$packages ninja-build flex bison bc cpio libelf-dev libssl-dev qemu-user-static"
    programs="$programs ninja flex bison bc qemu-aarch64-static"
fi
if command -v apt-get >/dev/null; then
    missing=
    for package in $packages; do
        status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        say "installs with apt:$missing"
        as_root apt-get update -qq
        # shellcheck disable=SC2086 # one word per package
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -o APT::Keep-Downloaded-Packages=false install -qq -y --no-install-recommends $missing
    fi
else
    # Debian's own programs are not looked for: without apt, `make demo` builds inside Gentoo's stage3.
    missing=
    for program in $programs; do
        case $program in mmdebstrap | apt-ftparchive) continue ;; esac
        command -v "$program" >/dev/null || missing="$missing $program"
    done
    if [ -n "$missing" ]; then
        # shellcheck source=/dev/null
        system=$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${ID:-} ${ID_LIKE:-}")
        case " $system " in
        *' gentoo '*) column=1 install='emerge --ask --noreplace' ;;
        *' fedora '* | *' rhel '*) column=2 install='dnf install' ;;
        *' arch '*) column=3 install='pacman -S --needed' ;;
        *) column='' ;;
        esac
        say "missing:$missing"
        if [ -n "$column" ]; then
            names=$(for program in $missing; do package "$program" "$column"; done | sort -u | tr '\n' ' ')
            say "as root, run: $install ${names% }"
        else
            say 'README.md has a table of packages'
        fi
        exit 1
    fi
fi

# The oldest Rust that compiles the engine.
need=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
have=$(cd / && cargo --version 2>/dev/null | cut -d' ' -f2 || true)
if [ "$(printf '%s\n%s\n' "$need" "${have:-0}" | sort -V | head -n1)" != "$need" ]; then
    say "installs Rust by rustup from https://sh.rustup.rs (needs $need, found ${have:-none})"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
        sh -s -- -y --quiet --no-modify-path --profile minimal --component clippy --component rustfmt
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    export PATH
fi

if [ "$1" = test ]; then
    for tool in cargo-nextest cargo-deny; do
        command -v "$tool" >/dev/null && continue
        # Unoptimised: it compiles in a third of the time, and is fast enough for this.
        say "compiles $tool with cargo (one to five minutes)"
        CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug "$tool"
    done
fi
