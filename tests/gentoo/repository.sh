#!/bin/sh
# Makes the smallest ebuild repository that a real emerge accepts: bc, which is compiled, and what stands for the rest.
# Usage: repository.sh DIR BC_TARBALL
set -eu
dir=$1 tarball=$2
mkdir -p "$dir/profiles/base" "$dir/metadata" "$dir/eclass"
cd "$dir"

echo gentoo > profiles/repo_name
echo 8 > profiles/eapi
printf '%s\n' app-misc dev-libs sys-devel virtual > profiles/categories
cat > metadata/layout.conf <<'EOF'
masters =
profile-formats = portage-2
thin-manifests = true
sign-manifests = false
sign-commits = false
manifest-hashes = BLAKE2B SHA512
manifest-required-hashes = BLAKE2B
EOF
echo 8 > profiles/base/eapi
cat > profiles/base/make.defaults <<'EOF'
ELIBC="glibc"
KERNEL="linux"
USE_EXPAND="ELIBC KERNEL"
USE_EXPAND_IMPLICIT="ARCH ELIBC KERNEL"
USE_EXPAND_UNPREFIXED="ARCH"
USE_EXPAND_VALUES_ARCH="amd64 arm64"
USE_EXPAND_VALUES_ELIBC="glibc musl"
USE_EXPAND_VALUES_KERNEL="linux"
IUSE_IMPLICIT="prefix prefix-guest prefix-stack"
PROFILE_ONLY_VARIABLES="ARCH ELIBC IUSE_IMPLICIT KERNEL USE_EXPAND_IMPLICIT USE_EXPAND_UNPREFIXED USE_EXPAND_VALUES_ARCH USE_EXPAND_VALUES_ELIBC USE_EXPAND_VALUES_KERNEL"
EOF
for line in 'amd64 x86_64-pc-linux-gnu' 'arm64 aarch64-unknown-linux-gnu'; do
    arch=${line% *} chost=${line#* }
    echo "$arch" >> profiles/arch.list
    printf '%s\tstable\n' "$arch" >> profiles/arches.desc
    printf '%s\tdefault/linux/%s\tstable\n' "$arch" "$arch" >> profiles/profiles.desc
    profile=profiles/default/linux/$arch
    mkdir -p "$profile"
    echo 8 > "$profile/eapi"
    echo ../../../base > "$profile/parent"
    cat > "$profile/make.defaults" <<EOF
ARCH="$arch"
ACCEPT_KEYWORDS="$arch"
CHOST="$chost"
ABI="$arch"
DEFAULT_ABI="$arch"
MULTILIB_ABIS="$arch"
LIBDIR_$arch="lib64"
CHOST_$arch="$chost"
EOF
done

# ebuild CATEGORY/NAME VERSION, with the rest on standard input.
ebuild() {
    mkdir -p "$1"
    {
        echo 'EAPI=8'
        echo "DESCRIPTION=\"$1 for tests\""
        echo 'HOMEPAGE="https://example.invalid/"'
        echo 'SLOT="0"'
        echo 'KEYWORDS="amd64 arm64"'
        cat
    } > "$1/${1#*/}-$2.ebuild"
}
ebuild sys-devel/bc 1.07.1 <<'EOF'
SRC_URI="https://example.invalid/bc_${PV}.orig.tar.gz"
LICENSE="GPL-2"
src_configure() { econf --without-readline --without-libedit; }
src_compile() { emake -j1 MAKEINFO=true; }
src_install() { dobin bc/bc dc/dc; dodoc NEWS README; }
EOF
ebuild dev-libs/elfutils 0.188 <<'EOF'
S="${WORKDIR}"
LICENSE="GPL-2"
src_install() { echo stand-in > elfutils.txt; insinto /usr/share/stand-in; doins elfutils.txt; }
EOF
ebuild virtual/libelf 3 <<'EOF'
RDEPEND="dev-libs/elfutils"
EOF
ebuild virtual/second 1 <<'EOF'
EOF
ebuild app-misc/lost 1 <<'EOF'
SRC_URI="https://lost.invalid/lost-1.tar.gz"
LICENSE="GPL-2"
EOF
mkdir -p app-misc/lost
printf 'DIST lost-1.tar.gz 1 BLAKE2B %0128d SHA512 %0128d\n' 0 0 > app-misc/lost/Manifest
ebuild app-misc/broken 1 <<'EOF'
S="${WORKDIR}"
LICENSE="GPL-2"
src_compile() { echo 'int main(void) { return missing; }' > a.c; gcc a.c || die "it does not compile"; }
EOF

python3 - "$tarball" > sys-devel/bc/Manifest <<'EOF'
import hashlib, os, sys
content = open(sys.argv[1], "rb").read()
blake2b, sha512 = hashlib.blake2b(content).hexdigest(), hashlib.sha512(content).hexdigest()
print("DIST bc_1.07.1.orig.tar.gz", len(content), "BLAKE2B", blake2b, "SHA512", sha512)
EOF
