#!/bin/sh
# In the place of kconfig's `conf`: writes down how make runs it, without what differs from run to run or machine to
# machine, and runs it.
{ pwd | tr '\n' '\0'; printf '%s\0' "$@"; } > /build/call
unset GNUMAKEFLAGS HOSTLDLIBS_conf KCONFIG_DEFCONFIG_LIST MAKEFLAGS MAKELEVEL MAKEOVERRIDES MAKE_TERMERR MAKE_TERMOUT MFLAGS OLDPWD PWD SHLVL _
env -0 | sort -z > /build/env
ENGINE_RECORD=/build/answers exec /build/conf "$@"
