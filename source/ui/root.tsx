// The root of the screen: head, one of the screens, foot, and the question over them. A switch and nothing else.
import { Box, useWindowSize } from 'ink';
import { type ReactElement, useSyncExternalStore } from 'react';
import { Dialog } from './components/dialog.tsx';
import { Header } from './components/header.tsx';
import { TextLines } from './components/text-lines.tsx';
import { openDialog } from './confirm.ts';
import { footerLines } from './footer-lines.ts';
import { useKeys } from './hooks/use-keys.ts';
import type { KeyName } from './key-parser.ts';
import { type Plan, planOverview } from './layout.ts';
import { useLook } from './look.ts';
import type { ScreenModel, ScreenState } from './screen-model.ts';
import { Audit } from './screens/audit.tsx';
import { Conflicts } from './screens/conflicts.tsx';
import { Detail } from './screens/detail.tsx';
import { Help } from './screens/help.tsx';
import { Log } from './screens/log.tsx';
import { Overview } from './screens/overview.tsx';
import { ValidationView } from './screens/validation.tsx';

export interface RootProps {
  readonly model: ScreenModel;
  readonly logFile: string | null;
  readonly onKey: (key: KeyName, plan: Plan) => void;
  readonly onPaste: () => void;
}

interface BodyProps {
  readonly state: ScreenState;
  readonly plan: Plan;
  readonly width: number;
  readonly logFile: string | null;
}

const Body = ({ state, plan, width, logFile }: BodyProps): ReactElement | null => {
  if (plan.mode === 'status') return null;
  if (state.ui.help) return <Help top={state.ui.helpTop} plan={plan} width={width} logFile={logFile} />;
  switch (state.ui.screen) {
    case 'overview':
      return <Overview state={state} plan={plan} width={width} />;
    case 'detail':
      return <Detail state={state} plan={plan} width={width} />;
    case 'validation':
      return <ValidationView state={state} plan={plan} width={width} />;
    case 'log':
      return <Log state={state} plan={plan} width={width} logFile={logFile} />;
    case 'audit':
      return <Audit state={state} plan={plan} width={width} />;
    case 'conflicts':
      return <Conflicts state={state} plan={plan} width={width} logFile={logFile} />;
  }
};

/** The whole screen, as large as the terminal and never larger. */
export const Root = ({ model, logFile, onKey, onPaste }: RootProps): ReactElement => {
  const state = useSyncExternalStore(model.subscribe, model.get);
  const size = useWindowSize();
  const look = useLook();
  const width = size.columns;
  const footer = footerLines(state, width, look);
  const plan = planOverview(state.snapshot.shards.length, state.ui, size, footer.length);
  useKeys({ onKey: (key) => onKey(key, plan), onPaste, isAsking: () => openDialog(model.get()) !== null });
  const dialog = openDialog(state);
  return (
    <Box flexDirection="column" width="100%" height={size.rows} overflow="hidden">
      <Header snapshot={state.snapshot} width={width} height={plan.headerHeight} nowMs={state.nowMs} />
      <Body state={state} plan={plan} width={width} logFile={logFile} />
      <TextLines lines={footer} height={plan.footerHeight} />
      {dialog === null ? null : <Dialog name={dialog} state={model.expected()} size={size} />}
    </Box>
  );
};
