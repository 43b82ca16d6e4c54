"""A configuration of torchtitan that trains Llama 3 8B on a run of winnow: WINNOW_RUN names the run.

torchrun --nproc-per-node 8 -m torchtitan.train --module titan --config llama3_8b_selected --training.steps 10000
"""

import os

from torchtitan.models.llama3.config_registry import llama3_8b

from winnow_trainer.adapters.torchtitan import selected


def llama3_8b_selected():
    config = llama3_8b()
    config.training.global_batch_size = 512
    config.checkpoint.enable, config.checkpoint.interval = True, 500
    config.validator.enable = False
    return selected(config, os.environ['WINNOW_RUN'])
