#!/bin/sh
# Builds what the tests of the chart in test/containers start, by Go, into a folder: a control plane of Kubernetes, kubelet, kubectl, the definitions of the
# operators' resources, KEDA, Prometheus and kube-router.
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
# The folder of a module's sources.
sources() { go mod download -json "$1" | sed -n 's/^.*"Dir": "\(.*\)",$/\1/p'; }
crds=example/prometheus-operator-crd/monitoring.coreos.com
chmod -R u+w "$folder/crds"
operator=$(sources github.com/prometheus-operator/prometheus-operator@v0.85.0)
for kind in podmonitors prometheusrules; do
  cp "$operator/${crds}_$kind.yaml" "$folder/crds/"
done

# These are built where their sources are, with the versions of their own go.mod: they name other ones of Kubernetes' libraries.
keda=v2.21.0
cd "$(sources github.com/kedacore/keda/v2@$keda)"
cp config/crd/bases/*.yaml "$folder/crds/"
flags="-s -w -X github.com/kedacore/keda/v2/version.Version=$keda"
for program in operator adapter; do build "keda-$program" "./cmd/$program"; done
cd "$(sources github.com/prometheus/prometheus@v0.316.0)"
# Its workspace has folders that the module lacks. Of its ways to find targets, files are enough.
export GOWORK=off
flags="-s -w"
CGO_ENABLED=0 go build -trimpath -tags remove_all_sd -ldflags "$flags" -o "$folder/prometheus" ./cmd/prometheus
cd "$(sources github.com/cloudnativelabs/kube-router/v2@v2.1.0)"
CGO_ENABLED=0 go build -trimpath -ldflags "$flags" -o "$folder/kube-router" ./cmd/kube-router
