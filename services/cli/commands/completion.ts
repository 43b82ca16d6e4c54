import { Argument, Command } from 'commander'
import { bashCompletion } from '../completion/bash.ts'
import { fishCompletion } from '../completion/fish.ts'
import { completedCommand } from '../completion/tree.ts'
import { zshCompletion } from '../completion/zsh.ts'
import { type CliContext, example, print } from '../context.ts'
import { summaries } from '../summaries.ts'

const scripts = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

export const completion = (context: CliContext): Command =>
  new Command('completion')
    .description(summaries.completion)
    .addArgument(new Argument('<shell>', 'your shell').choices(Object.keys(scripts)))
    .addHelpText(
      'after',
      example(
        'source <(winnow completion bash)',
        'source <(winnow completion zsh)',
        'winnow completion fish > ~/.config/fish/completions/winnow.fish',
      ),
    )
    .action(async (shell: keyof typeof scripts, _options: object, command: Command) => {
      await print(context.stdout, scripts[shell](completedCommand(command.parent!)))
    })
