/** The sign in the tab, which shows how well it is. */
import failed from './favicon-failed.svg';
import idle from './favicon-idle.svg';
import offline from './favicon-offline.svg';
import running from './favicon-running.svg';

const ICONS = { failed, idle, offline, running };

export function showFavicon(state: keyof typeof ICONS): void {
  const link = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  if (link !== null && link.getAttribute('href') !== ICONS[state]) link.href = ICONS[state];
}
