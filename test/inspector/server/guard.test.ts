import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { InspectorOptions } from '../../../inspector/server/options.ts';
import { ROUTES } from '../../../inspector/server/routes.ts';
import { serveInspector, type InspectorServer } from '../../../inspector/server/server.ts';
import { request, sendRaw, upgrade, type RawAnswer } from '../../support/raw-http.ts';
import { StillSource } from '../../support/still-source.ts';

const TOKEN = 'a-token-of-this-test-alone';
const AUTHORIZATION = ['Authorization', `Bearer ${TOKEN}`] as const;

const warnings: { readonly facts: object; readonly message: string }[] = [];
const logger = {
  info: () => {},
  warn: (facts: object, message: string) => void warnings.push({ facts, message }),
};

let server: InspectorServer;
let source: StillSource;
beforeAll(async () => {
  source = new StillSource();
  server = await serveInspector(source, {
    port: 0,
    token: TOKEN,
    hosts: ['inspector.example.com', 'other.example.com:8443'],
    commands: true,
    logger,
  });
});
afterAll(() => server.close());

const paths = ROUTES.map(({ method, path, access, isUpgrade }) => ({
  method,
  access,
  isUpgrade: isUpgrade === true,
  path: path.replaceAll(/:[a-z]+/g, 'x'),
}));

function ask(method: string, path: string, headers: readonly (readonly [string, string])[]): Promise<RawAnswer> {
  return request(server.port, method, path, headers);
}

const own = () => ['Host', `127.0.0.1:${server.port}`] as const;
const ownOrigin = () => ['Origin', `http://127.0.0.1:${server.port}`] as const;

const hostiles = (port: number): [string, readonly (readonly [string, string])[]][] => [
  ['another name', [['Host', `evil.com:${port}`]]],
  ['a name that begins with ours', [['Host', `localhost.evil.com:${port}`]]],
  ['a name that resolves to us', [['Host', `127.0.0.1.nip.io:${port}`]]],
  ['localhost6', [['Host', `localhost6:${port}`]]],
  ['a dot behind', [['Host', `localhost.:${port}`]]],
  ['capitals and a dot', [['Host', `LOCALHOST.:${port}`]]],
  ['another port', [['Host', 'localhost:1']]],
  ['no port', [['Host', 'localhost']]],
  ['a port with zeros', [['Host', `localhost:0${port}`]]],
  ['nothing', [['Host', '']]],
  [
    'two hosts',
    [
      ['Host', `localhost:${port}`],
      ['Host', `localhost:${port}`],
    ],
  ],
  [
    'two hosts, the second hostile',
    [
      ['Host', `localhost:${port}`],
      ['host', 'evil.com'],
    ],
  ],
  ['an address of others', [['Host', `192.168.0.1:${port}`]]],
  ['all addresses', [['Host', `0.0.0.0:${port}`]]],
  ['a short address', [['Host', `127.1:${port}`]]],
  ['a number for an address', [['Host', `2130706433:${port}`]]],
  ['a mapped address', [['Host', `[::ffff:127.0.0.1]:${port}`]]],
  ['somebody before an at', [['Host', `localhost:${port}@evil.com`]]],
  ['a name of ours with the port of another', [['Host', 'other.example.com:1']]],
  ['a name that was given with another port', [['Host', 'inspector.example.com:8443']]],
  ['a path', [['Host', `localhost:${port}/x`]]],
];

describe('every route and every upgrade', () => {
  test('refuses a Host that is not ours, whatever else is right', async () => {
    const answers = await Promise.all(
      hostiles(server.port).flatMap(([what, headers]) =>
        paths.map(async ({ method, path, isUpgrade }) => {
          const all = [...headers, AUTHORIZATION, ownOrigin()];
          const plain = await ask(method, path, all);
          const upgraded = isUpgrade ? await upgrade(server.port, path, all) : undefined;
          upgraded?.socket.destroy();
          return { what, path, statuses: [plain.status, upgraded?.status ?? 403] };
        }),
      ),
    );
    // Node itself answers 400 to two hosts in some versions.
    const let_in = answers.filter(({ statuses }) => statuses.some((status) => status !== 403 && status !== 400));
    expect(let_in).toEqual([]);
  });

  test('refuses an Origin that is not ours, and one that is null', async () => {
    const origins = [
      'null',
      'http://evil.com',
      'http://localhost:1',
      `http://localhost:${server.port}`,
      `ftp://127.0.0.1:${server.port}`,
    ];
    const answers = await Promise.all(
      origins.flatMap((origin) =>
        paths.map(async ({ method, path, isUpgrade }) => {
          const headers = [own(), AUTHORIZATION, ['Origin', origin] as const];
          const plain = await ask(method, path, headers);
          const upgraded = isUpgrade ? await upgrade(server.port, path, headers) : undefined;
          upgraded?.socket.destroy();
          return { origin, path, statuses: [plain.status, upgraded?.status ?? 403] };
        }),
      ),
    );
    expect(answers.filter(({ statuses }) => statuses.some((status) => status !== 403))).toEqual([]);
  });

  test('refuses whoever has no token, but for what holds only our own code', async () => {
    const guarded = paths.filter(({ access }) => access !== 'nothing');
    expect(paths.filter(({ access }) => access === 'nothing').map(({ path }) => path)).toEqual([
      '/viewer',
      '/assets/x',
      '/x',
    ]);
    const wrong = [
      [],
      [['Authorization', `Bearer ${TOKEN}x`] as const],
      [['Authorization', `Basic ${TOKEN}`] as const],
      [['Authorization', TOKEN] as const],
      [['Cookie', `perdure-${server.port}=${TOKEN}`] as const],
      [['Cookie', `perdure-${server.port}=`] as const],
    ];
    const answers = await Promise.all(
      wrong.flatMap((headers) =>
        guarded.map(async ({ method, path, isUpgrade }) => {
          const all = [own(), ownOrigin(), ...headers];
          const plain = await ask(method, path, all);
          const upgraded = isUpgrade ? await upgrade(server.port, path, all) : undefined;
          upgraded?.socket.destroy();
          return { path, headers, statuses: [plain.status, upgraded?.status ?? 401] };
        }),
      ),
    );
    expect(answers.filter(({ statuses }) => statuses.some((status) => status !== 401))).toEqual([]);
  });

  test('says nothing of what is there to whoever has no token', async () => {
    const there = await ask('GET', '/v1/hello', [own()]);
    const notThere = await ask('GET', '/v1/nothing/of/the/kind', [own()]);
    const method = await ask('DELETE', '/v1/hello', [own(), ownOrigin()]);
    expect([there.status, notThere.status, method.status]).toEqual([401, 401, 401]);
    expect(notThere.body).toBe(there.body);
  });
});

describe('a host that is ours', () => {
  const asked = (host: string) => ask('GET', '/v1/hello', [['Host', host], AUTHORIZATION]);

  test('is a loopback address or localhost with our port, or a name that was given', async () => {
    const { port } = server;
    const hosts = [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      `[::1]:${port}`,
      `127.1.2.3:${port}`,
      'other.example.com:8443',
      'inspector.example.com',
      `inspector.example.com:${port}`,
    ];
    const answers = await Promise.all(hosts.map(async (host) => [host, (await asked(host)).status]));
    expect(answers).toEqual(hosts.map((host) => [host, 200]));
  });

  test('is needed by HTTP/1.0 too', async () => {
    const { status } = await sendRaw(server.port, `GET /v1/hello HTTP/1.0\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
    expect(status).toBe(403);
  });

  test('is not taken from a request to a proxy', async () => {
    const { status } = await sendRaw(
      server.port,
      `GET http://localhost:${server.port}/v1/hello HTTP/1.1\r\nHost: evil.com\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\n\r\n`,
    );
    expect(status).toBe(403);
  });
});

describe('what changes something', () => {
  test('needs an Origin, which must be ours', async () => {
    const body = JSON.stringify({ id: '1', command: 'pause', params: {} });
    const give = (headers: readonly (readonly [string, string])[]) =>
      request(
        server.port,
        'POST',
        '/v1/commands',
        [own(), AUTHORIZATION, ['Content-Type', 'application/json'], ...headers],
        body,
      );
    expect((await give([])).status).toBe(403);
    expect(JSON.parse((await give([])).body)).toMatchObject({ code: 'ORIGIN_REFUSED' });
    // Let in, and refused only because this source has nobody who carries commands out.
    expect(JSON.parse((await give([ownOrigin()])).body)).toMatchObject({ code: 'COMMANDS_OFF' });
  });
});

describe('the token', () => {
  test('in the address gives a cookie that is not the token, once, and goes from the address', async () => {
    const first = await ask('GET', `/?view=work&token=${TOKEN}`, [own()]);
    expect(first.status).toBe(303);
    expect(first.head).toMatch(/\r\nLocation: \.\/\?view=work\r\n/);
    const [, cookie = ''] = /\r\nSet-Cookie: (.*)\r\n/.exec(first.head) ?? [];
    expect(cookie).toMatch(new RegExp(`^perdure-${server.port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict$`));
    expect(first.head).not.toContain(TOKEN);
    const [pair = ''] = cookie.split(';');
    const known = await ask('GET', '/v1/hello', [own(), ['Cookie', `other=1; ${pair}; more=2`]]);
    expect(known.status).toBe(200);
    expect(known.body).not.toContain(TOKEN);
  });

  test('gives a cookie for https alone where the page was asked for by it, whatever a proxy says', async () => {
    const cookieOf = async (...headers: readonly (readonly [string, string])[]) => {
      const { head } = await ask('GET', `/?token=${TOKEN}`, [['Host', 'inspector.example.com'], ...headers]);
      return /\r\nSet-Cookie: (.*)\r\n/.exec(head)?.[1];
    };
    expect(await cookieOf(['Origin', 'https://inspector.example.com'])).toMatch(/; SameSite=Strict; Secure$/);
    expect(await cookieOf(['Referer', 'https://inspector.example.com/login'])).toMatch(/; SameSite=Strict; Secure$/);
    for (const other of [
      ['Referer', 'http://inspector.example.com/'],
      ['Referer', 'https://inspector.example.com.evil.com/'],
      ['X-Forwarded-Proto', 'https'],
      ['Forwarded', 'proto=https'],
    ] as const) {
      expect(await cookieOf(other)).toMatch(/; SameSite=Strict$/);
    }
  });

  test('in the address opens the page and WebSockets, and nothing else', async () => {
    expect((await ask('GET', `/v1/hello?token=${TOKEN}`, [own()])).status).toBe(401);
    expect((await ask('GET', `/metrics?token=${TOKEN}`, [own()])).status).toBe(401);
    const { status, socket } = await upgrade(server.port, `/v1/socket?token=${TOKEN}`, [own()]);
    socket.destroy();
    expect(status).toBe(101);
  });

  test('is another one at each start, and as long as it must be', async () => {
    const urls = await Promise.all(
      [1, 2].map(async () => {
        await using one = await serveInspector(new StillSource(), { port: 0 });
        return one.url;
      }),
    );
    const tokens = urls.map((url) => new URL(url).searchParams.get('token') ?? '');
    expect(tokens[0]).not.toBe(tokens[1]);
    expect(tokens.every((token) => /^[\w-]{43}$/.test(token))).toBe(true);
  });

  test('lets the same cookie in after a restart with the same token', async () => {
    await using again = await serveInspector(new StillSource(), { port: 0, token: TOKEN });
    const { head } = await request(server.port, 'GET', `/?token=${TOKEN}`, [own()]);
    const [, session = ''] = /perdure-\d+=([\w-]+)/.exec(head) ?? [];
    const { status } = await request(again.port, 'GET', '/v1/hello', [
      ['Host', `localhost:${again.port}`],
      ['Cookie', `perdure-${again.port}=${session}`],
    ]);
    expect(status).toBe(200);
  });
});

describe('a login of the host app', () => {
  const serve = async (authorize: InspectorOptions['authorize'], more: Partial<InspectorOptions> = {}) => {
    const one = await serveInspector(new StillSource(), { port: 0, ...(authorize && { authorize }), ...more });
    const hello = (headers: readonly (readonly [string, string])[]) =>
      request(one.port, 'GET', '/v1/hello', [['Host', `localhost:${one.port}`], ...headers]);
    return { one, hello };
  };

  test('takes the place of the token', async () => {
    const { one, hello } = await serve(
      ({ headers }) => headers.cookie === 'user=ada' && { by: 'ada', commands: false },
    );
    expect((await hello([['Cookie', 'user=ada']])).status).toBe(200);
    expect((await hello([])).status).toBe(401);
    expect(one.url).toBe(`http://127.0.0.1:${one.port}/`);
    await one.close();
  });

  test('stands beside a token that is given too', async () => {
    const { one, hello } = await serve(async () => false as const, { token: TOKEN });
    expect((await hello([AUTHORIZATION])).status).toBe(200);
    expect((await hello([])).status).toBe(401);
    await one.close();
  });

  test('lets nobody in when it throws, or says what it must not say', async () => {
    for (const authorize of [
      () => {
        throw new Error('the database of users is down');
      },
      async () => Promise.reject(new Error('later')),
      () => true,
      () => ({ by: 'ada' }),
      () => null,
      () => undefined,
    ]) {
      const { one, hello } = await serve(authorize as InspectorOptions['authorize']);
      expect((await hello([])).status).toBe(401);
      await one.close();
    }
  });
});

describe('what is refused is logged', () => {
  test('with its code and where it came from, without secrets, and no more than a few a minute', async () => {
    const told: { readonly facts: object; readonly message: string }[] = [];
    const counting = { info: () => {}, warn: (facts: object, message: string) => void told.push({ facts, message }) };
    await using one = await serveInspector(new StillSource(), { port: 0, token: TOKEN, logger: counting });
    for (let nth = 0; nth < 50; nth += 1) {
      await request(one.port, 'GET', `/v1/hello?token=${TOKEN}x`, [
        ['Host', 'evil.com'],
        ['Authorization', `Bearer ${TOKEN}y`],
      ]);
    }
    expect(told.length).toBe(20);
    expect(told[0]?.facts).toMatchObject({
      code: 'HOST_REFUSED',
      method: 'GET',
      path: '"/v1/hello"',
      host: '"evil.com"',
    });
    expect(JSON.stringify([...told, ...warnings])).not.toContain(TOKEN);
  });

  test('also a command where none are taken, without what it says', async () => {
    const told: unknown[] = [];
    const logging = { info: () => {}, warn: (facts: object, message: string) => void told.push([message, facts]) };
    await using one = await serveInspector(new StillSource(), { port: 0, token: TOKEN, logger: logging });
    const params = { event: { type: 'login', password: 'hunter2' } };
    const body = JSON.stringify({ id: '1', command: 'send', params });
    const { status } = await request(
      one.port,
      'POST',
      '/v1/commands',
      [
        ['Host', `127.0.0.1:${one.port}`],
        ['Origin', `http://127.0.0.1:${one.port}`],
        ['Content-Type', 'application/json'],
        AUTHORIZATION,
      ],
      body,
    );
    expect(status).toBe(403);
    expect(told).toEqual([
      ['The inspector refused a command.', { code: 'COMMANDS_OFF', command: '"send"', by: '"http"' }],
    ]);
  });

  test('even by a logger that throws', async () => {
    const logging = {
      info: () => {},
      warn: () => {
        throw new Error('the disk is full');
      },
    };
    await using one = await serveInspector(new StillSource(), { port: 0, token: TOKEN, logger: logging });
    expect((await request(one.port, 'GET', '/v1/hello', [['Host', 'evil.com']])).status).toBe(403);
  });
});

describe('the options of a server', () => {
  const refused: [string, object, RegExp][] = [
    ['an address of others without a token', { host: '0.0.0.0', hosts: ['box'] }, /needs token/],
    ['an address of others without names', { host: '0.0.0.0', token: TOKEN }, /needs hosts/],
    ['all IPv6 addresses without both', { host: '::' }, /needs token and hosts/],
    ['a short token', { token: 'short' }, /16 to 512/],
    ['a token with white space', { token: 'a token with white space' }, /white space/],
    ['a port that is none', { port: 70_000 }, /0 to 65535/],
    ['a base path that is none', { basePath: 'inspector' }, /basePath/],
    ['a base path that leads up', { basePath: '/a/../b' }, /basePath/],
    ['any host', { hosts: ['*'] }, /hosts/],
    ['a host with a scheme', { hosts: ['http://box'] }, /hosts/],
    ['an option that there is not', { tokn: TOKEN }, /did you mean "token"/],
    ['commands that are a text', { commands: 'yes' }, /true or false/],
    ['a logger without methods', { logger: {} }, /info and warn/],
  ];

  test.each(refused)('are refused: %s', async (_, options, message) => {
    await expect(serveInspector(new StillSource(), options)).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      message,
    });
    await expect(serveInspector(new StillSource(), options)).rejects.toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('a token with white space') }),
    );
  });

  test('let it listen elsewhere when all is said', async () => {
    await using one = await serveInspector(new StillSource(), {
      port: 0,
      host: '0.0.0.0',
      token: TOKEN,
      hosts: ['box.lan'],
    });
    expect(one.url).toBe(`http://box.lan:${one.port}/?token=${TOKEN}`);
    const answer = await request(one.port, 'GET', '/v1/hello', [['Host', `box.lan:${one.port}`], AUTHORIZATION]);
    expect(answer.status).toBe(200);
  });

  test('let it listen at the IPv6 loopback', async () => {
    await using one = await serveInspector(new StillSource(), { port: 0, host: '::1', token: TOKEN });
    expect(one.url).toBe(`http://[::1]:${one.port}/?token=${TOKEN}`);
    const answer = await sendRaw(
      one.port,
      `GET /v1/hello HTTP/1.1\r\nHost: [::1]:${one.port}\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\n\r\n`,
      '::1',
    );
    expect(answer.status).toBe(200);
  });
});
