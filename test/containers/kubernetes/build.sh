#!/bin/sh
# Builds what test/containers/chart.test.ts and kubelet.test.ts start, by Go, into a folder: a control plane of Kubernetes, kubelet, kubectl, and the definitions of the
# operators' resources.
# sh test/containers/kubernetes/build.sh FOLDER
set -eu
mkdir -p "$1/crds"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")"
version() { go list -m -f '{{.Version}}' "$1"; }
# What the programs say that they are; with v0.0.0 the API server emulates no version.
kubernetes=$(version k8s.io/kubernetes)
minor=${kubernetes#v1.}
base=k8s.io/component-base/version
flags="-s -w -X $base.gitVersion=$kubernetes -X $base.gitMajor=1 -X $base.gitMinor=${minor%%.*}"
build() { CGO_ENABLED=0 go build -trimpath -ldflags "$flags" -o "$folder/$1" "$2"; }
build etcd go.etcd.io/etcd/server/v3
for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl; do
  build "$program" "k8s.io/kubernetes/cmd/$program"
done
definitions() { cp "$(go mod download -json "$1" | sed -n 's/^.*"Dir": "\(.*\)",$/\1/p')/$2" "$folder/crds/"; }
crds=example/prometheus-operator-crd/monitoring.coreos.com
chmod -R u+w "$folder/crds"
for kind in podmonitors prometheusrules; do
  definitions github.com/prometheus-operator/prometheus-operator@v0.85.0 "${crds}_$kind.yaml"
done
definitions github.com/kedacore/keda/v2@v2.21.0 config/crd/bases/keda.sh_scaledobjects.yaml
