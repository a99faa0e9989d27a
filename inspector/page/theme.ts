/** Light or dark: as the reader chose, or as the system has it. */
import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { remember, remembered } from './memory.ts';

export type ThemeChoice = 'auto' | 'light' | 'dark';

const CHOICES: readonly ThemeChoice[] = ['auto', 'light', 'dark'];
const NAME = 'theme';

const system = matchMedia('(prefers-color-scheme: dark)');
const isSystemDark = signal(system.matches);
system.addEventListener('change', () => {
  isSystemDark.value = system.matches;
});

export const themeChoice = signal<ThemeChoice>(CHOICES.find((choice) => choice === remembered(NAME)) ?? 'auto');

/** What is shown. What is drawn on a canvas depends on it. */
export const theme: ReadonlySignal<'light' | 'dark'> = computed(() => {
  const choice = themeChoice.value;
  return choice === 'auto' ? (isSystemDark.value ? 'dark' : 'light') : choice;
});

effect(() => {
  document.documentElement.dataset['theme'] = theme.value;
});

export function nextTheme(): void {
  chooseTheme(CHOICES[(CHOICES.indexOf(themeChoice.peek()) + 1) % CHOICES.length]!);
}

export function chooseTheme(choice: ThemeChoice): void {
  themeChoice.value = choice;
  remember(NAME, choice === 'auto' ? null : choice);
}

/** The value of a token of theme.css, such as `--accent`, for a canvas. Read it again when `theme` changes. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
