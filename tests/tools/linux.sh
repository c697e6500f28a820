#!/usr/bin/env bash
# linux.sh: prints a folder with `vmlinuz` and a static `busybox`, for a machine that QEMU emulates. They are those of Debian's
# packages, unpacked at first use and not installed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# What fails in it is not fatal by itself: each step is asked how it ended.
unpack() (
  cd "$1" || exit 1
  type -P apt-get dpkg >/dev/null || die "a Linux to emulate comes out of Debian's packages, and there is no apt-get here"
  download() {
    local kernel
    kernel=$(apt-cache depends linux-image-amd64 2>/dev/null | awk '$1 == "Depends:" { print $2; exit }')
    [ -n "$kernel" ] && say "downloading $kernel" && apt-get download -qq "$kernel" busybox-static
  }
  download || { apt-get update -qq && download; } || exit 1
  for package in *.deb; do dpkg -x "$package" unpacked || exit 1; done
  mv unpacked/boot/vmlinuz-* vmlinuz && mv unpacked/bin/busybox busybox && rm -rf unpacked ./*.deb
)
install_once linux-debian unpack
printf '%s\n' "$cache/linux-debian"
