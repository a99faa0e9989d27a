import { feed, hello, missed, retryAt, status } from '../connection.ts';
import { countText } from '../format.ts';
import { PROTOCOL_VERSION } from '../../protocol.ts';
import { Button, IconButton } from '../ui/button.tsx';
import { Icon, type IconName } from '../ui/icon.tsx';
import { Countdown, Time } from '../ui/time.tsx';
import { asOf, standingNow } from './standing-now.ts';
import type { Tone } from '../tone.ts';
import type { ComponentChildren } from 'preact';

/** What somebody must know before they trust what they see. */
export function Banners() {
  return (
    <div class="banners" role="status">
      <Broken />
      <Missed />
      <Version />
      <File />
      <Left />
    </div>
  );
}

function Banner(props: { readonly tone: Tone; readonly icon: IconName; readonly children: ComponentChildren }) {
  return (
    <div class={`banner tone-${props.tone}`}>
      <Icon name={props.icon} />
      {props.children}
    </div>
  );
}

function Broken() {
  const isNew = hello.value === null;
  const again = retryAt.value;
  switch (status.value) {
    case 'reconnecting':
    case 'offline':
      return (
        <Banner tone="retrying" icon="offline">
          <span class="grow">
            {isNew ? 'The server does not answer.' : 'The connection broke; what you see is as it was then.'} Trying
            again {again === null ? '' : <Countdown to={again} />}
          </span>
          <Button small onClick={() => feed.peek()?.retry()}>
            Try now
          </Button>
        </Banner>
      );
    case 'denied':
      return (
        <Banner tone="failed" icon="lock">
          <span class="grow">
            The server does not let this page in. Open the address that it printed, with its token, once more.
          </span>
          <Button small onClick={() => feed.peek()?.retry()}>
            Try now
          </Button>
        </Banner>
      );
    case 'connecting':
    case 'open':
    case 'ended':
      return null;
  }
}

function Missed() {
  const gaps = missed.value;
  if (gaps.length === 0) return null;
  const count = gaps.reduce((sum, { from, to }) => sum + Math.max(0, to - from), 0);
  const why =
    gaps.at(-1)?.reason === 'slow' ? 'more happened than this page could take in' : 'more happened than is kept';
  return (
    <Banner tone="retrying" icon="notice">
      <span class="grow">
        {countText(count)} or more records are missing here: {why}. States and counts are right.
      </span>
      <IconButton icon="cross" label="Dismiss" small onClick={() => (missed.value = [])} />
    </Banner>
  );
}

function Version() {
  const version = hello.value?.version;
  if (version === undefined || version === PROTOCOL_VERSION) return null;
  return (
    <Banner tone="degraded" icon="notice">
      <span>
        The server speaks version {version} of the protocol, this page version {PROTOCOL_VERSION}: reload the page.
      </span>
    </Banner>
  );
}

function File() {
  if (feed.value?.kind !== 'file') return null;
  return (
    <Banner tone="accent" icon="upload">
      <span class="grow">
        You look at an exported history. Nothing in it changes, and nothing of it was sent anywhere.
      </span>
      <Button small onClick={() => location.reload()}>
        Close the file
      </Button>
    </Banner>
  );
}

/** What nobody runs looks like what goes on: so it is said, and of when it is. */
function Left() {
  if (feed.value?.kind !== 'server' || hello.value === null || !standingNow.value.isPast) return null;
  const at = asOf.value;
  return (
    <Banner tone={standingNow.value.tone} icon="eye">
      <span class="grow">
        {standingNow.value.help}
        {at === null ? null : (
          <>
            {' '}
            It changed last <Time at={at} />.
          </>
        )}
      </span>
    </Banner>
  );
}
