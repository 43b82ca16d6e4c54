{{/*
Everything that runs, as a list: component, kind (Deployment or Job), args, settings (of the values, over defaults), probe (the name of the port that
answers; none: nothing does), command if it is not winnow's, mounts, textless if it reads no texts, ofCorpus if its pods share the corpus's partitions, and for autoscaling by lag the station and run whose lag counts. The other templates make their objects of it.
*/}}
{{- define "winnow.workloads" -}}
{{- $values := .Values -}}
{{- $config := list "--config" "/etc/winnow/winnow.yaml" -}}
{{- $all := list -}}

{{- range $name, $given := include "winnow.labelers" . | fromYaml -}}
{{- $settings := mergeOverwrite (deepCopy $values.defaults) $given -}}
{{- $station := printf "labeler (%s)" (join "|" $given.actors) -}}
{{- $args := concat (list "run" "labeler" "--actor") $given.actors $config -}}
{{- $all = append $all (dict "component" (printf "labeler-%s" $name) "kind" "Deployment" "args" $args "settings" $settings "probe" "metrics" "mounts" (list "models") "ofCorpus" true "scales" true "station" $station "run" "") -}}
{{- end -}}

{{- $settings := mergeOverwrite (deepCopy $values.defaults) $values.labelSink -}}
{{- $all = append $all (dict "component" "label-sink" "kind" "Deployment" "args" (concat (list "run" "label-sink") $config) "settings" $settings "probe" "metrics" "mounts" (list) "textless" true "ofCorpus" true "scales" true "station" "label sink" "run" "") -}}

{{- if $values.decontamination.enabled -}}
{{- $settings := mergeOverwrite (deepCopy $values.defaults) $values.decontamination -}}
{{- $all = append $all (dict "component" "decontamination" "kind" "Deployment" "args" (concat (list "run" "decontamination") $config) "settings" $settings "probe" "metrics" "mounts" (list) "ofCorpus" true) -}}
{{- end -}}

{{- if $values.duplicates.enabled -}}
{{- $settings := mergeOverwrite (deepCopy $values.defaults) $values.duplicates -}}
{{- $all = append $all (dict "component" "duplicates" "kind" "Deployment" "args" (concat (list "run" "duplicates") $config) "settings" $settings "probe" "metrics" "mounts" (list) "ofCorpus" true) -}}
{{- end -}}

{{- range $run, $given := $values.runs -}}
{{- $parts := default (dict) $given -}}
{{- $influence := mergeOverwrite (deepCopy $values.defaults) (dict "replicas" 0 "autoscaling" (dict "max" 4)) (default (dict) $parts.influence) -}}
{{- $apart := or $influence.replicas $influence.autoscaling.enabled -}}
{{- $stations := mergeOverwrite (deepCopy $values.defaults) (default (dict) $parts.stations) (dict "replicas" 1 "autoscaling" (dict "enabled" false)) -}}
{{- if $apart -}}
{{- $_ := set $stations "config" (mergeOverwrite (deepCopy (default (dict) $stations.config)) (dict "influence" (dict "workers" 0))) -}}
{{- end -}}
{{- $mounts := list "models" "corpus" "checkpoints" -}}
{{- $of := list "--run" $run -}}
{{- $all = append $all (dict "component" (printf "stations-%s" $run) "kind" "Deployment" "args" (concat (list "run" "stations") $of $config) "settings" $stations "probe" "metrics" "mounts" $mounts "alone" true) -}}
{{- if $apart -}}
{{- $all = append $all (dict "component" (printf "influence-%s" $run) "kind" "Deployment" "args" (concat (list "run" "influence") $of $config) "settings" $influence "probe" "metrics" "mounts" $mounts "scales" true "station" "influence" "run" $run) -}}
{{- end -}}
{{- $trainer := default (dict) $parts.trainer -}}
{{- if $trainer.enabled -}}
{{- $all = append $all (dict "component" (printf "trainer-%s" $run) "kind" "Job" "args" (concat (list "run" "trainer") $of $config) "settings" (mergeOverwrite (deepCopy $values.defaults) $trainer) "probe" "metrics" "mounts" $mounts "writes" true) -}}
{{- end -}}
{{- end -}}

{{- if $values.board.enabled -}}
{{- $args := concat (list "board" "--host" "0.0.0.0" "--port" (toString $values.board.port)) $config -}}
{{- $settings := mergeOverwrite (deepCopy $values.defaults) $values.board (dict "replicas" 1) -}}
{{- $all = append $all (dict "component" "board" "kind" "Deployment" "args" $args "settings" $settings "probe" "board" "mounts" (list)) -}}
{{- end -}}

{{- if $values.tools.enabled -}}
{{- $command := list "sh" "-c" "trap 'exit 0' TERM; sleep infinity & wait" -}}
{{- $settings := mergeOverwrite (deepCopy $values.defaults) $values.tools (dict "replicas" 1) -}}
{{- $all = append $all (dict "component" "tools" "kind" "Deployment" "command" $command "args" (list) "settings" $settings "probe" "" "mounts" (list "models" "corpus" "checkpoints") "writes" true) -}}
{{- end -}}

{{- with $values.ingest -}}
{{- $settings := mergeOverwrite (deepCopy $values.defaults) . (dict "replicas" 1) -}}
{{- if eq .mode "job" -}}
{{- $args := concat (list "ingest" "--no-wait") $config .args .paths -}}
{{- $all = append $all (dict "component" "ingest" "kind" "Job" "args" $args "settings" $settings "probe" "metrics" "mounts" (list "corpus")) -}}
{{- else if eq .mode "watch" -}}
{{- $args := concat (list "ingest" "--watch") (ternary (list "--poll") (list) .poll) $config .args .paths -}}
{{- $all = append $all (dict "component" "ingest" "kind" "Deployment" "args" $args "settings" $settings "probe" "metrics" "mounts" (list "corpus") "alone" true) -}}
{{- end -}}
{{- end -}}

{{- /* A Job cannot be changed: one with anything else, of whatever template, is another Job. */ -}}
{{- range $all -}}
{{- if eq .kind "Job" -}}
{{- $own := list (include "winnow.job" $ | fromYaml) (include "winnow.pod" (merge (dict "root" $) .) | fromYaml) -}}
{{- $_ := set . "component" (printf "%s-%s" .component (toJson $own | sha256sum | trunc 8)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end }}

{{/* labelers, with one of its own for each actor that none of them has. */}}
{{- define "winnow.labelers" -}}
{{- $values := .Values -}}
{{- $all := deepCopy $values.labelers -}}
{{- $labelled := list -}}
{{- range $labeler := $values.labelers -}}{{- $labelled = concat $labelled $labeler.actors -}}{{- end -}}
{{- range (include "winnow.actors" . | fromYamlArray) -}}
{{- if not (has . $labelled) -}}{{- $_ := set $all . (dict "actors" (list .)) -}}{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end }}

{{/* The names of the actors; those of winnow itself if config has none. */}}
{{- define "winnow.actors" -}}
{{- toYaml (default (list "quality" "domain" "topic") (keys (default (dict) .Values.config.actors) | sortAlpha)) -}}
{{- end }}
