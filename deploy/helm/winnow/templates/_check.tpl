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
{{- end -}}
{{- $partitions := int (default 4 (default (dict) $values.config.corpus).partitions) -}}
{{- range include "winnow.workloads" . | fromYamlArray -}}
{{- $most := int .settings.replicas -}}
{{- if and .scales .settings.autoscaling.enabled -}}
{{- $most = int .settings.autoscaling.max -}}
{{- if gt (int .settings.autoscaling.min) $most -}}{{- fail (printf "%s: autoscaling.min is above autoscaling.max, %d" .component $most) -}}{{- end -}}
{{- end -}}
{{- if and .ofCorpus (gt $most $partitions) -}}
{{- fail (printf "%s: %d replicas share config.corpus.partitions: more than there are do nothing" .component $most) -}}
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
{{- if not (or ($values.secrets.metricsToken).name $values.networkPolicy.enabled) -}}
{{- fail "metrics would be open to everybody: set secrets.metricsToken or networkPolicy.enabled" -}}
{{- end -}}
{{- end }}
