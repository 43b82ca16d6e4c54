#!/bin/sh
# Builds what the pods of kubelet.test.ts and network-policies.test.ts run, by buildah, into the folder of build.sh: the image of winnow by the Dockerfile, and that of a pod's
# sandbox. The Dockerfile's base is put together from Debian's packages, the Node of node_modules and the npm that is here, unless it is there already.
# sh test/containers/kubernetes/images.sh FOLDER
set -eu
mkdir -p "$1/images"
folder=$(cd "$1/images" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
cat > "$folder/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$folder/storage"
runroot = "$folder/run"
CONF
export CONTAINERS_STORAGE_CONF="$folder/storage.conf"
# Whom npm trusts beside the authorities that Node knows.
trusted=${NODE_EXTRA_CA_CERTS:-}
base=docker.io/library/$(sed -n 's/^FROM //p' "$root/Dockerfile")
commit() { # NAME FOLDER, and what its configuration is
  name=$1 files=$2
  shift 2
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$files" /
  buildah config "$@" "$container"
  buildah commit --quiet --rm "$container" "$name"
}
archive() { # NAME FILE
  rm -f "$folder/$2.new"
  buildah push --quiet "$1" "docker-archive:$folder/$2.new:$1"
  mv "$folder/$2.new" "$folder/$2"
}

if ! buildah inspect --type image "$base" > /dev/null 2>&1; then
  rm -rf "$folder/base"
  debootstrap --variant=minbase --include=libstdc++6 bookworm "$folder/base" > "$folder/debootstrap.log"
  local=$folder/base/usr/local
  cp "$("$root/node_modules/.bin/node" -p process.execPath)" "$local/bin/node"
  mkdir -p "$local/lib/node_modules"
  cp -R "$(dirname "$(readlink -f "$(command -v npm)")")/.." "$local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$local/bin/npm"
  [ -z "$trusted" ] || echo "cafile=$trusted" > "$local/etc/npmrc"
  chroot "$folder/base" groupadd --gid 1000 node
  chroot "$folder/base" useradd --uid 1000 --gid node --create-home node
  rm -rf "$folder/base/var/cache/apt" "$folder/base/var/lib/apt/lists"
  commit "$base" "$folder/base" --cmd node --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  rm -rf "$folder/base"
fi

if ! [ -e "$folder/pause.tar" ]; then
  source=$(cd "$here" && go list -m -f '{{.Dir}}' k8s.io/kubernetes)/build/pause/linux/pause.c
  mkdir -p "$folder/pause"
  cc -Os -static -DVERSION=winnow "$source" -o "$folder/pause/pause"
  commit docker.io/library/pause:winnow "$folder/pause" --entrypoint '["/pause"]' --user 65535:65535
  archive docker.io/library/pause:winnow pause.tar
  rm -r "$folder/pause"
fi

# Without chDB: services need none, and it is half of what is imported.
set -- --isolation chroot --network host --pull-never --layers --quiet --build-arg ARCHIVES=no
[ -z "$trusted" ] || set -- "$@" --volume "$(dirname "$trusted"):$(dirname "$trusted"):ro"
buildah bud "$@" --tag docker.io/library/winnow:0.1.0 "$root" > "$folder/winnow.id"
archive docker.io/library/winnow:0.1.0 winnow.tar
