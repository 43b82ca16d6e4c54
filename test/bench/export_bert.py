"""Writes a random encoder of BERT-base's size, as test/bench/labelers.ts runs it: what it says is noise, what it costs is real.

usage: export_bert.py FOLDER [layers hidden]      (Python 3.11, torch, transformers 5, onnx, onnxscript)
The tokenizer is that of the tests; the embedding has BERT's 30,522 rows.
"""
import json
import os
import shutil
import sys

import torch
from transformers import BertConfig, BertForSequenceClassification

folder = sys.argv[1]
layers, hidden = (int(text) for text in sys.argv[2:4]) if len(sys.argv) > 3 else (12, 768)
labels = ['Finance', 'Health', 'Nature']
os.makedirs(folder, exist_ok=True)
torch.manual_seed(0)
config = BertConfig(num_hidden_layers=layers, hidden_size=hidden, num_attention_heads=hidden // 64, intermediate_size=4 * hidden, num_labels=len(labels),
                    id2label=dict(enumerate(labels)), label2id={name: i for i, name in enumerate(labels)}, attn_implementation='eager')
config.problem_type = 'single_label_classification'
model = BertForSequenceClassification(config).eval()


class Head(torch.nn.Module):
    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor) -> torch.Tensor:
        return model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).logits


names = ['input_ids', 'attention_mask', 'token_type_ids']
example = torch.randint(5, 100, (2, 8))
shapes = {name: {0: torch.export.Dim('batch', min=1, max=4096), 1: torch.export.Dim('length', min=2, max=512)} for name in names}
torch.onnx.export(Head().eval(), (example, torch.ones_like(example), torch.zeros_like(example)), f'{folder}/model.onnx', dynamo=True, external_data=True,
                  verbose=False, input_names=names, output_names=['logits'], dynamic_shapes=shapes)
keys = ['model_type', 'vocab_size', 'max_position_embeddings', 'pad_token_id', 'problem_type', 'id2label']
with open(f'{folder}/config.json', 'w') as file:
    json.dump({key: config.to_dict()[key] for key in keys}, file, indent=1)
here = os.path.dirname(os.path.abspath(__file__))
shutil.copy(f'{here}/../services/labeler/fixtures/topic/tokenizer.json', f'{folder}/tokenizer.json')
