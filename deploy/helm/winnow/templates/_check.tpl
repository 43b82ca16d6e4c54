{{/* What a schema cannot say. */}}
{{- define "winnow.check" -}}
{{- $values := .Values -}}
{{- $labelled := list -}}
{{- $actors := include "winnow.actors" . | fromYamlArray -}}
{{- range $name, $labeler := $values.labelers -}}
{{- if and (has $name $actors) (not (has $name $labeler.actors)) -}}{{- fail (printf "labelers.%s: has the name of an actor that it does not label" $name) -}}{{- end -}}
{{- range $labeler.actors -}}
{{- if has . $labelled -}}{{- fail (printf "labelers.%s: another labeler has the actor %s too" $name .) -}}{{- end -}}
{{- if not (has . $actors) -}}{{- fail (printf "labelers.%s: config.actors has no %s" $name .) -}}{{- end -}}
{{- $labelled = append $labelled . -}}
{{- end -}}
{{- $most := default $values.defaults.replicas $labeler.replicas -}}
{{- with $labeler.autoscaling -}}{{- if .enabled -}}{{- $most = default $values.defaults.autoscaling.max .max -}}{{- end -}}{{- end -}}
{{- if gt (int $most) (int (default 4 (default (dict) $values.config.corpus).partitions)) -}}
{{- fail (printf "labelers.%s: %d replicas share config.corpus.partitions: more than there are do nothing" $name (int $most)) -}}
{{- end -}}
{{- end -}}
{{- range $run, $parts := $values.runs -}}
{{- if not (include "winnow.claim" (dict "root" $ "folder" "checkpoints")) -}}
{{- fail (printf "runs.%s: trainer and influence workers share checkpoints: set storage.checkpoints.existingClaim or size" $run) -}}
{{- end -}}
{{- end -}}
{{- if and (ne $values.ingest.mode "none") (not (include "winnow.claim" (dict "root" . "folder" "corpus"))) -}}
{{- fail "ingest: the source files are in a claim: set storage.corpus.existingClaim" -}}
{{- end -}}
{{- if not (or $values.secrets.metricsToken.name $values.networkPolicy.enabled) -}}
{{- fail "metrics would be open to everybody: set secrets.metricsToken or networkPolicy.enabled" -}}
{{- end -}}
{{- end }}
