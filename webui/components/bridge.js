// What the pages need of the browser: links that change the address, inline citations, copying, remembered language and
// theme, bringing a passage into view, whole folders. Everything listens on the document, so it survives whatever
// Streamlit redraws.

const COPIED_MS = 1600
const FIND_MS = 2000
const FOLLOW_MS = 1500
const ABOVE_PX = 44
const KEY = "chatbot_key"
const DROPZONE = '.st-key-add_files [data-testid="stFileUploaderDropzone"]'
const LEFT_OUT = /(^|\/)(\.|node_modules(\/|$))/ // as the server does; no need to send them

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    return navigator.clipboard.writeText(text)
  }
  const area = document.createElement("textarea") // http on a local network: no clipboard API
  area.value = text
  area.style.position = "fixed"
  area.style.opacity = "0"
  document.body.appendChild(area)
  area.select()
  document.execCommand("copy")
  area.remove()
}

function goTo(address) {
  // Streamlit shows what a link to the open page names and leaves the address as it is, from which the next click is then
  // made: a question would land in the conversation that was shown before. So the address goes first, and what is shown
  // follows it, as after the browser's back button.
  if (address.href !== location.href) {
    history.pushState({}, "", address)
  }
  window.dispatchEvent(new PopStateEvent("popstate"))
}

function closeDrawer(chosen) {
  // On a phone the sidebar lies over the page: what was chosen in it is to be seen.
  const sidebar = chosen.closest('[data-testid="stSidebar"]')
  if (sidebar && sidebar.getBoundingClientRect().width > innerWidth / 2) {
    sidebar.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click()
  }
}

function showTheme(choice, paths) {
  // Streamlit keeps the viewer's theme by page path; its own menu is hidden because it speaks English only.
  for (const path of paths) {
    localStorage.setItem(`stActiveTheme-${path}-v2`, JSON.stringify(choice))
  }
  // Pages cannot read that store on the server, and the preferences show what was chosen.
  document.cookie = `chatbot_theme=${choice}; path=/; max-age=31536000; SameSite=Lax`
  location.reload()
}

function followScheme(state) {
  // Popovers, dialogs and menus are drawn outside the element that Streamlit gives its color-scheme.
  const app = document.querySelector('[data-testid="stApp"]')
  const follow = () => {
    document.documentElement.style.colorScheme = getComputedStyle(app).colorScheme
  }
  if (app && state.app !== app) {
    state.app = app
    new MutationObserver(follow).observe(app, { attributeFilter: ["class"] })
    follow()
  }
}

function sayGone(words) {
  // Streamlit's own notice speaks English only, and of Streamlit.
  for (const title of document.querySelectorAll('[data-testid="stDialog"] h2[slot="title"]')) {
    const text = title.parentElement.querySelector("h2 + div > div")
    if (title.firstChild?.nodeValue === "Connection error" && text?.firstChild?.nodeType === Node.TEXT_NODE) {
      title.firstChild.nodeValue = words.title
      text.firstChild.nodeValue = words.text
    }
  }
}

const QUESTION = '.st-key-conversation [class*="st-key-question_"]'
const WRITTEN = "question_live"

function newest() {
  // The last question of the conversation: its place, its name, and how many there are.
  const questions = document.querySelectorAll(QUESTION)
  const place = questions[questions.length - 1]
  const name = place?.className.match(/st-key-(question_\w+)/)?.[1]
  return { place, name, count: questions.length }
}

function followQuestions(state) {
  // A conversation is read from its newest question on: when it is opened, and when something is asked. Until the
  // question stands on top, or the person scrolls, the page follows the answer as it grows.
  if (state.following) {
    return
  }
  state.following = true
  let seen = { name: undefined, count: 0 }
  let until = 0
  let waiting = false
  const main = () => document.querySelector('[data-testid="stMain"]')
  const look = () => {
    waiting = false
    const question = newest()
    const answered = question.count === seen.count && [question.name, seen.name].includes(WRITTEN)
    if (question.place && question.name !== seen.name && !answered) {
      until = performance.now() + FOLLOW_MS
    }
    seen = question
    if (question.place && (performance.now() < until || (until && document.querySelector(".st-key-answer_live")))) {
      const top = question.place.getBoundingClientRect().top - main().getBoundingClientRect().top - ABOVE_PX
      main().scrollTop += top
      if (performance.now() < until) {
        soon(FOLLOW_MS / 10)
      }
    }
  }
  const soon = (wait) => {
    if (!waiting) {
      waiting = true
      setTimeout(() => requestAnimationFrame(look), wait)
    }
  }
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) {
    document.addEventListener(kind, () => (until = 0), { capture: true, passive: true })
  }
  new MutationObserver(() => soon(0)).observe(document.body, { childList: true, subtree: true, characterData: true })
  soon(0)
}

function bringIntoView(panelSelector, hitSelector) {
  const begun = performance.now()
  const look = () => {
    const panel = document.querySelector(panelSelector)
    const hit = panel?.querySelector(hitSelector)
    if (hit) {
      panel.scrollTop = 0
      const below = panel.getBoundingClientRect().bottom - hit.getBoundingClientRect().bottom
      if (below < 40) {
        hit.scrollIntoView({ block: "start", behavior: "instant" })
      }
    } else if (performance.now() - begun < FIND_MS) {
      requestAnimationFrame(look)
    }
  }
  requestAnimationFrame(look)
}

// Streamlit forgets which folder a dropped file came from, so that two of one name clash: its path becomes its name.
function named(file, path) {
  return new File([file], path, { type: file.type, lastModified: file.lastModified })
}

async function filesBelow(entry, path, unread) {
  if (LEFT_OUT.test(path)) {
    return []
  }
  try {
    if (entry.isFile) {
      return [named(await new Promise((resolve, reject) => entry.file(resolve, reject)), path)]
    }
    const reader = entry.createReader()
    const found = []
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)) // a hundred at a time
      if (!some.length) {
        return found
      }
      for (const inner of some) {
        found.push(...(await filesBelow(inner, `${path}/${inner.name}`, unread)))
      }
    }
  } catch {
    unread.push(path)
    return []
  }
}

function handOver(files, zone) {
  const carried = new DataTransfer()
  for (const file of files) {
    carried.items.add(file)
  }
  zone.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: carried }))
}

function chooseFolder(zone) {
  const input = document.createElement("input")
  input.type = "file"
  input.webkitdirectory = true
  input.addEventListener("change", () => {
    const files = [...input.files].filter((file) => !LEFT_OUT.test(file.webkitRelativePath))
    handOver(files.map((file) => named(file, file.webkitRelativePath)), zone)
  })
  input.click()
}

export default function (component) {
  const { data: [data], setTriggerValue, parentElement } = component
  const state = (window.__chatbotBridge ??= {})

  document.documentElement.lang = data.language
  followScheme(state)
  followQuestions(state)
  state.gone ??= new MutationObserver(() => sayGone(state.words))
  state.words = data.gone
  state.gone.observe(document.body, { childList: true, subtree: true })
  if (data.chosen) {
    document.cookie = `chatbot_language=${data.chosen}; path=/; max-age=31536000; SameSite=Lax`
  }
  if (data.theme && state.theme !== data.theme.nonce) {
    state.theme = data.theme.nonce
    if (!sessionStorage.getItem(`theme-${data.theme.nonce}`)) {
      sessionStorage.setItem(`theme-${data.theme.nonce}`, "1")
      showTheme(data.theme.choice, data.theme.paths)
    }
  }
  if (data.opened && state.opened !== data.opened) {
    bringIntoView(".st-key-passage_body", ".cb-passage .hit")
  }
  state.opened = data.opened

  // The key of a server beyond loopback outlives a reload of the tab, not the tab. A cookie would be sent to every
  // port of the host.
  if (data.key) {
    sessionStorage.setItem(KEY, data.key)
  } else if (data.key_wanted && sessionStorage.getItem(KEY) && !state.key_given) {
    state.key_given = true
    setTriggerValue("remembered", sessionStorage.getItem(KEY))
  }

  const onClick = (event) => {
    const target = event.target instanceof Element ? event.target : null
    const cited = target?.closest('a[href^="#cite-"]')
    if (cited) {
      event.preventDefault()
      event.stopPropagation()
      setTriggerValue("cited", cited.getAttribute("href").slice("#cite-".length))
      return
    }
    const link = target?.closest('a[data-testid="stPageLink-NavLink"]')
    if (link && event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey) {
      event.preventDefault()
      event.stopPropagation()
      goTo(new URL(`./${link.getAttribute("href")}`, location))
      closeDrawer(link)
      return
    }
    const begun = target?.closest(".st-key-new_thread button")
    if (begun) {
      closeDrawer(begun)
    }
    const copier = target?.closest("[data-copy]")
    if (copier) {
      copy(copier.dataset.copy).then(() => {
        copier.classList.add("cb-copied")
        setTimeout(() => copier.classList.remove("cb-copied"), COPIED_MS)
      })
    }
    const zone = document.querySelector(DROPZONE)
    if (zone && target?.closest("[data-choose-folder]")) {
      chooseFolder(zone)
    }
  }
  const onDrop = async (event) => {
    const zone = event.target instanceof Element ? event.target.closest(DROPZONE) : null
    const entries = zone ? [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean) : []
    if (!entries.some((entry) => entry.isDirectory)) {
      return
    }
    event.preventDefault()
    event.stopImmediatePropagation()
    const unread = []
    const files = []
    for (const entry of entries) {
      files.push(...(await filesBelow(entry, entry.name, unread)))
    }
    handOver(files, zone)
    if (unread.length) {
      setTriggerValue("unread", unread)
    }
  }
  const onKey = (event) => {
    if (event.key === "Escape" && data.opened && !document.querySelector('[role="dialog"]')) {
      setTriggerValue("closed", true)
    }
  }
  document.addEventListener("click", onClick, true)
  document.addEventListener("keydown", onKey)
  document.addEventListener("drop", onDrop, true)
  return () => {
    document.removeEventListener("click", onClick, true)
    document.removeEventListener("keydown", onKey)
    document.removeEventListener("drop", onDrop, true)
  }
}
