// The head of every screen.
import { memo, type ReactElement } from 'react';
import type { EngineSnapshot } from '../../engine/contract/engine-snapshot.ts';
import { headerLines } from '../header-lines.ts';
import { useLook } from '../look.ts';
import { TextLines } from './text-lines.tsx';

export interface HeaderProps {
  readonly snapshot: EngineSnapshot;
  readonly width: number;
  readonly height: number;
  readonly nowMs: number;
}

const HeaderView = ({ snapshot, width, height, nowMs }: HeaderProps): ReactElement => {
  const look = useLook();
  return <TextLines lines={headerLines(snapshot, { width, height, nowMs }, look)} height={height} />;
};

export const Header = memo(HeaderView);
