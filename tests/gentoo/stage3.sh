#!/bin/sh
# Makes a root filesystem with the real Portage out of a Debian one, laid out where Gentoo has things.
# Usage: stage3.sh ROOT WHEEL ARCH CHOST
# ROOT: an unpacked Debian root filesystem; WHEEL: the file of Portage from PyPI; ARCH: Gentoo's name, such as amd64.
set -eu
root=$1 wheel=$2 arch=$3 chost=$4

# In a wheel these places are left to whoever installs it: here it is the system's own.
work=$(mktemp -d)
python3 -m zipfile -e "$wheel" "$work"
sed -i 's/TYPE = TYPES.MODULE/TYPE = TYPES.SYSTEM/' "$work/portage/installation.py"
sed -i -e 's|PORTAGE_BASE_PATH = """"""|PORTAGE_BASE_PATH = "/usr/lib/portage"|' \
    -e 's|PORTAGE_BIN_PATH = """"""|PORTAGE_BIN_PATH = "/usr/lib/portage/bin"|' "$work/portage/const.py"
mkdir -p "$root/usr/lib/python3/dist-packages"
cp -a "$work"/portage-*.data/data/lib "$work"/portage-*.data/data/share "$root/usr/"
cp -a "$work"/portage-*.data/data/etc "$root/"
rm -rf "$work"/*.data "$work"/*.dist-info
cp -a "$work"/* "$root/usr/lib/python3/dist-packages/"
rm -rf "$work"
chmod -R a+rX,u+w "$root/usr/lib/portage" "$root/usr/lib/python3/dist-packages"
find "$root/usr/lib/portage/bin" -type f -exec chmod a+x {} +
ln -sf python3 "$root/usr/bin/python"
for program in emerge ebuild portageq quickpkg emaint env-update; do
    ln -sf "../lib/portage/bin/$program" "$root/usr/bin/$program"
done
# By these names Portage calls GNU's programs.
for program in tar patch xargs find sed awk; do
    [ -e "$root/usr/bin/g$program" ] || ln -s $program "$root/usr/bin/g$program"
done

echo portage:x:250: >> "$root/etc/group"
echo portage:x:250:250:portage:/var/lib/portage/home:/bin/false >> "$root/etc/passwd"
for dir in var/db/pkg var/cache/distfiles var/cache/binpkgs var/tmp/portage var/lib/portage/home run/lock var/log var/db/repos; do
    mkdir -p "$root/$dir"
done
chown 250:250 "$root/var/tmp/portage" "$root/var/lib/portage/home" "$root/var/cache/distfiles"

# Gentoo's 64-bit architectures have their libraries there, whatever the architecture.
mkdir -p "$root/usr/lib64"
[ -e "$root/lib64" ] || ln -s usr/lib64 "$root/lib64"
echo "$arch" > "$root/usr/lib64/of-the-stage3"

# As catalyst leaves them: the profile leads into a repository that is not there yet.
mkdir -p "$root/etc/portage/repos.conf"
rm -rf "$root/etc/portage/make.profile"
ln -s "../../var/db/repos/gentoo/profiles/default/linux/$arch" "$root/etc/portage/make.profile"
cat > "$root/etc/portage/make.conf" <<EOF
COMMON_FLAGS="-O2 -pipe"
CFLAGS="\${COMMON_FLAGS}"
CXXFLAGS="\${COMMON_FLAGS}"
CHOST="$chost"
LC_MESSAGES=C.UTF-8
EOF
cat > "$root/etc/portage/repos.conf/gentoo.conf" <<EOF
[DEFAULT]
main-repo = gentoo
[gentoo]
location = /var/db/repos/gentoo
sync-type =
sync-uri =
auto-sync = no
EOF
