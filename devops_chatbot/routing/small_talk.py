"""Tells small talk from questions, in English and Chinese."""

import re

_SAID = (
    r"hi|hello|hey|hiya|howdy|good (?:morning|afternoon|evening|night|day|job|work)|well done|nice(?: work| one)?|perfect|awesome"
    r"|excellent|wonderful|(?:many )?thanks?(?: you)?(?: (?:a lot|so much|very much|for (?:your|the) help))?|thx|ty|cheers"
    r"|bye|goodbye|see you|ok(?:ay)?|great|cool|got it|i see|all right|alright|never ?mind|sorry|yes|yep|no|nope|sure|please|lol"
    r"|(?:that|it) (?:worked|works|helped|helps)"
    r"|who are you|what are you|what(?: is|'?s) your name|what can you do|how are you(?: doing)?(?: today)?|how do you do"
    r"|how can you help(?: me)?"
    r"|are you (?:there|(?:a |an )?(?:bot|robot|human|ai|person|machine)(?: or (?:a |an )?\w+)?)|help(?: me)?"
    r"|(?:which|what)(?: language)? model (?:are you|do you use)"
    r"|你好|您好|嗨|哈喽|早上好|上午好|中午好|下午好|晚上好|早安|晚安|非?常?感?谢谢?你?们?|感谢|多谢|再见|拜拜|好的?|嗯|行|可以了?"
    r"|明白|知道|懂|不错|太好|很好|辛苦|没事|抱歉|对不起"
    r"|你是谁|你叫什么(?:名字)?|你是(?:机器人|真人|人)吗?|你能做什么|你会什么|你能帮我什么|你好吗|最近怎么样|在吗|你用的?是?什么模型"
)
_SMALL_TALK = re.compile(rf"^\W*(?:(?:{_SAID})(?: there| again| then|啊|呀|了|哦|吧|的)?\W*){{1,3}}$", re.IGNORECASE)


def is_small_talk(text: str) -> bool:
    """Whether a message is a greeting, thanks, or a question about the assistant itself, and nothing else."""
    return bool(_SMALL_TALK.match(text.strip()[:200]))
