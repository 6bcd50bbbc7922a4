// The entry: parse the arguments, hand over to one command, turn what it gives or throws into the exit code.
import { check } from './source/commands/check.ts';
import { demo } from './source/commands/demo.ts';
import { sync } from './source/commands/sync.ts';
import { parseArguments } from './source/config/arguments.ts';
import { takeDetachedOrder } from './source/control/detached-run.ts';
import { EXIT, FerryError, messageOf } from './source/engine/errors.ts';

async function main(): Promise<number> {
  const detached = takeDetachedOrder(process.env);
  const command = parseArguments(detached?.args ?? process.argv.slice(2));
  switch (command.name) {
    case 'sync':
      return sync(command, detached);
    case 'check':
      return check(command);
    case 'validate': {
      const { validate } = await import('./source/commands/validate.ts');
      return validate(command);
    }
    case 'settle': {
      const { settle } = await import('./source/commands/settle.ts');
      return settle(command);
    }
    case 'demo':
      return demo(command);
    case 'attach': {
      const { attach } = await import('./source/commands/attach.ts');
      return attach(command);
    }
    case 'status': {
      const { status } = await import('./source/commands/status.ts');
      return status(command);
    }
    case 'ctl': {
      const { ctl } = await import('./source/commands/ctl.ts');
      return ctl(command);
    }
    case 'done':
      return EXIT.completed;
  }
}

main().then(
  (exitCode) => process.exit(exitCode),
  (error: unknown) => {
    process.stderr.write(`redferry: ${messageOf(error)}\n`);
    process.exit(error instanceof FerryError ? error.exitCode : EXIT.failed);
  },
);
