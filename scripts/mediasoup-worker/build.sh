#!/usr/bin/env bash
# Builds mediasoup-worker from the source inside mediasoup's npm package, against the libraries of Debian or Ubuntu,
# for machines that cannot download the prebuilt one. Needs no root; packages.txt says what must be installed.
#
#   build.sh MEDIASOUP_PACKAGE_DIR OUTPUT_FILE
#
# mediasoup downloads its C and C++ dependencies while it builds. Here overlay/ stands in for every one of them, and
# presents the system's libraries under the names and calls that the worker expects. All work happens under $TMPDIR.
set -euo pipefail
package=$(realpath "$1")
output=$(realpath -m "$2")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# libsrtp is compiled here and linked statically: Debian's runs on NSS, which takes four times OpenSSL's time for a packet of
# AES_CM_128_HMAC_SHA1_80. The source is the distribution's, with its security patches, and apt checks its signature.
# Lists of our own make that work without root, and on machines whose apt has no source entries. (As root, apt would
# download as a user of its own, who cannot write here.)
fetch_libsrtp() {
  echo '-- fetching the source of libsrtp'
  mkdir -p "$work"/apt/{sources,lists/partial,cache} "$work/srtp"
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -r "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/apt/sources/${file##*/}"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -r "$file" ] && sed -n 's/^deb[[:space:]]/deb-src /p' "$file" >"$work/apt/sources/${file##*/}.list"
  done
  local apt=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/apt/sources"
    -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User=root)
  # Third parties' repositories may have no source index. Only libsrtp's must be there, as the next command shows.
  "${apt[@]}" update || true
  (cd "$work/srtp" && "${apt[@]}" source libsrtp2)
}

compile_libsrtp() {
  echo '-- compiling libsrtp'
  cd "$work"/srtp/libsrtp2-*/
  # Left alone, configure links libcrypto statically in its checks, with libraries that need not be there.
  ./configure --quiet --enable-openssl crypto_LIBS=-lcrypto --prefix="$work/worker/subprojects/libsrtp3/libsrtp2"
  make --quiet -j"$(nproc)" libsrtp2.a
  make --quiet install
}

prepare_worker() {
  cp -r "$package/worker" "$work/worker"
  cd "$work/worker"
  rm -rf subprojects
  cp -r "$here/overlay/subprojects" subprojects
  patch --quiet -p1 <"$here/kernel-tls.patch"
  # It asks for meson 1.1; Debian 12's 1.0 is enough for what is left.
  sed -i "s/meson_version: '>= 1\.[0-9]*\.[0-9]*'/meson_version: '>= 1.0.0'/" meson.build
}

compile_worker() {
  echo '-- compiling the worker'
  cd "$work/worker"
  meson setup build --buildtype release -Db_ndebug=true >"$work/meson.log" 2>&1 || {
    cat "$work/meson.log"
    exit 1
  }
  # The generated headers first: not every file that includes them says so, and would be compiled too early.
  meson compile -C build flatbuffers-generator
  ninja -C build mediasoup-worker
}

fetch_libsrtp
prepare_worker
compile_libsrtp
compile_worker
install -D -m 755 "$work/worker/build/mediasoup-worker" "$output"
