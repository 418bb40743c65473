// Node's driver: evaluates one piece of code after the other as a REPL does, so that `const` may be declared again and
// `await` may stand at the top. Descriptor 3 brings requests, descriptor 4 takes answers (see the supervisor's workers.py).
'use strict'
const fs = require('fs')
const inspector = require('inspector')
const net = require('net')
const util = require('util')
const vm = require('vm')

const write = fs.writeSync
const resources = process.getActiveResourcesInfo
const session = new inspector.Session()
session.connect()

let wake = null
let uncaught = null
let baseline = new Map()
let task = null
const post = new vm.Script('globalThis[Symbol.for("sandbox.task")]()', { filename: 'sandbox' })
Object.defineProperty(globalThis, Symbol.for('sandbox.task'), { value: () => task() })
globalThis.require = require('module').createRequire((process.env.HOME || '') + '/')
globalThis.module = { exports: {} }
globalThis.exports = globalThis.module.exports

process.on('SIGINT', () => wake && wake({ interrupted: true }))
process.on('uncaughtException', (error) => { uncaught = { error } })
process.on('unhandledRejection', (error) => { uncaught = { error } })

function answer (text) {
  const data = Buffer.from(text)
  for (let sent = 0; sent < data.length;) sent += write(4, data, sent)
}

function evaluate (code) {
  return new Promise((resolve) => {
    wake = resolve
    task = () => session.post('Runtime.evaluate', { expression: code, replMode: true, awaitPromise: true },
      (error, reply) => resolve(error ? { failed: error.message } : reply))
    try {
      post.runInThisContext({ breakOnSigint: true }) // a busy thread hears no other signal handler
    } catch (error) {
      resolve({ interrupted: true })
    }
  })
}

// Timers, requests and child processes that the code started belong to its run; a server that listens does not.
function count () {
  const counts = new Map()
  for (const type of resources.call(process)) counts.set(type, (counts.get(type) || 0) + 1)
  counts.delete('TCPSERVERWRAP')
  return counts
}

function settled () {
  return new Promise((resolve) => {
    wake = resolve
    const look = () => {
      if (uncaught || [...count()].every(([type, number]) => number <= (baseline.get(type) || 0))) return resolve({})
      setTimeout(look, 5).unref()
    }
    look()
  })
}

function report (text) {
  const own = /^ +at (?:.*\()?(?:node:|sandbox:|\/opt\/sandbox\/|evalmachine)|^ +at (?:Session\.post|new Promise)/
  process.stderr.write(text.split('\n').filter((line) => !own.test(line)).join('\n') + '\n')
}

async function run (code) {
  uncaught = null
  process.exitCode = undefined
  const reply = await evaluate(code)
  const failed = reply.failed || reply.exceptionDetails
  const end = reply.interrupted || failed ? reply : await settled()
  wake = null
  if (end.interrupted) {
    report('Interrupted')
    return 130
  }
  if (reply.failed) {
    report(String(reply.failed))
    return 1
  }
  if (reply.exceptionDetails) {
    const thrown = reply.exceptionDetails.exception || {}
    report(thrown.description || 'Uncaught ' + util.inspect(thrown.value))
    return 1
  }
  if (uncaught) {
    const { error } = uncaught
    report((error && error.stack) || 'Uncaught ' + util.inspect(error))
    return 1
  }
  return Number.isInteger(process.exitCode) ? process.exitCode & 255 : 0
}

async function serve () {
  let buffer = Buffer.alloc(0)
  const requests = new net.Socket({ fd: 3, readable: true, writable: false })
  void [process.stdout, process.stderr] // opened now, they count as ours and not as the code's
  setImmediate(() => {
    baseline = count()
    answer('ready\n')
  })
  for await (const piece of requests) {
    buffer = Buffer.concat([buffer, piece])
    for (let end; (end = buffer.indexOf(10)) >= 0;) {
      const [, nonce, length] = buffer.toString('latin1', 0, end).split(' ')
      const size = Number(length)
      if (buffer.length < end + 1 + size) break
      const code = buffer.toString('utf8', end + 1, end + 1 + size)
      buffer = buffer.subarray(end + 1 + size)
      try { process.cwd() } catch (error) { process.chdir(process.env.HOME) }
      const status = await run(code)
      answer(`done ${nonce} ${status}\n`)
    }
  }
}

serve()
