"""Words in which tasks are described, whatever the data: they say nothing of particular rows. Stems, lower case."""

from __future__ import annotations

from dynosaur_core.filter.wording import stem, word_set

_FUNCTION = """
a able about above according across after again against ai all almost alone along already also although always am
among an and another any anyone anything are aren around as aside at away back based be became because become been
before behind being below between beyond both but by came can cannot come could did do does doesn doing don done down
due during each either else enough etc even ever every everyone everything except few final first five follow followed
following follows for former four from further get give given gives go going got had has have having he her here hers
herself him himself his how however i if in indeed inside instead into is isn it its itself just keep kept last later
latter least less let like likely made main mainly make makes making many may maybe me mean means might mine more most
mostly much must my myself near nearly need needs neither never next nli nlp no nobody none nor not nothing now of off
often on once one ones only onto or other others otherwise our ours ourselves out outside over own per perhaps please
put quite rather really same say says second see seem seems several she should shouldn show shows side simply since so
some someone something sometimes still such take taken takes ten than that the their theirs them themselves then there
therefore these they thing things third this those though three through throughout thus to together too toward towards
two unable under until up upon us use used useful uses using usually various very via want was way ways we well were
what whatever when where whether which while who whole whom whose why will with within without won would yes yet you
your yours yourself zero
"""
_ACTS = """
add adjust analyse analyze annotate answer arrange ask assess assign associate calculate categorise categorize change
check choose cite clarify classify combine compare complete compose compress compute condense connect construct
continue convert correct count craft create critique debug decide decode deduce define derive describe design detect
determine develop devise diagnose differentiate discuss distinguish divide draft edit elaborate eliminate estimate
evaluate expand explain express extend extract fill find finish fix formulate gauge generate grade group guess
highlight identify illustrate imagine implement improve indicate infer insert interpret introduce invent judge justify
label list locate mark match measure merge modify name narrate negate normalise normalize order organise organize
outline paraphrase parse pick pluralise pluralize predict prepare produce pronounce prove provide punctuate put quote
rank rate rearrange recognise recognize recommend recover reduce reformulate refute relate remove rephrase replace
reply respond restate retrieve return revise reword rewrite romanise romanize score select separate shorten simplify
soften solve sort spell split spot state substitute subtract suggest sum summarise summarize swap tag tell think
tokenise tokenize transcribe transform translate transliterate turn unscramble verbalise verbalize verify work write
"""
_TASKS = """
act address align allow appear append apply assume attempt belong break build capture cause come comment communicate
comprehend concern conclude conduct confirm consider consist contain contrast contribute convey copy correspond cover
deliver denote depict differ display embed employ encode ensure exhibit explore fit form handle happen help hold imply
include incorporate inform inspect know lead learn leave look mention note notice obtain occur offer output perform
place please point possess present preserve proceed process question reach read reason recall receive record refer
reflect remain report represent request require resolve result reveal review search segment send serve share speak
specify stand start stay step stop structure study support suppose talk test try type understand utter view visualise
work yield
"""
_NOUNS = """
abstract accuracy action adjective adverb aim alternative ambiguity analogy anaphor answer antecedent antonym approach
argument article aspect assertion assistant attitude attribute author background beginning behavior behaviour bias
blank block body book boolean bullet candidate caption case category cause chain chance character characteristic chart
chat choice chunk claim class classification clause clue cluster code coherence collection column comment comparison
completion component concept conclusion condition confidence consequence constituent content context continuation
contradiction conversation coreference correctness counterfactual criteria criterion customer data dataset date
definition degree demand description detail determiner dialog dialogue dictionary difference difficulty direction
discourse discussion document domain duplicate duration edit education effect element emoji emoticon emotion end
ending english entailment entity entry equivalence error essay event evidence example excerpt exclamation explanation
expression extract fact factor fallacy feature feedback feeling field figure fluency focus form formality format
formula fragment function gender genre goal gold grammar grammaticality graph guideline hashtag hate head headline
hint html humor humour hypothesis idea identity idiom implication importance index individual inference information
input insight instance instruction intensity intent intention interaction interest irony issue item json justification
key keyphrase keyword kind knowledge language lead lemma length letter level line link location logic logical main
manner markup meaning member message metadata metaphor method misspelling mistake mode model modifier mood morphology
narrative nature negation news noun number object offense operation opinion opposite option order origin outcome
output overlap overview pair paper paragraph paraphrase part participant party passage pattern percentage person
perspective phrase piece plot plural poem polarity position possibility post predicate prediction prefix premise
preposition presence problem product pronoun proposition punctuation purpose quality query quotation range rating
reader reading reason reasoning recipient reference referent relation relationship relevance reply report
representation request response rest result review role root row rule sarcasm scale schema scope score script section
segment semantic sense sentence sentiment sequence series set similarity singular skill slot snippet solution source
span speaker speech spelling stance standard statement status step stereotype story strategy string structure style
subject subjectivity suffix suggestion summary symbol synonym syntax system table tag target task tendency tense term
text theme thought thread time title token tone topic toxicity transcript translation trigger triple truth turn tweet
type unit usage user utterance validity value variant verb verdict version view viewpoint vocabulary voice word
wording writer writing xml
"""
_QUALITIES = """
abusive acceptable accurate active actual adequate advanced affirmative aggressive ambiguous anaphoric angry annotated
answered applicable appropriate asked available aware bad basic best better big binary bracketed brief broad casual
central certain clear close closest coherent common compact comparable complete complex concise concrete consistent
correct corresponding counterfactual creative crucial current deep described descriptive detailed detected different
difficult direct dissimilar distinct duplicate early easier easy elementary empty english entire equal equivalent
essential exact existing expected explicit extra fair false familiar female fictional final fine fluent formal formed
free frequent full funny general generic good grammatical happy hard harmful hateful helpful hidden high higher
highlighted human hypothetical identical identified implausible implicit implied important impossible improper
inappropriate incomplete inconsistent incorrect independent indirect individual informal initial intended intermediate
invalid involved ironic irrelevant key known labeled labelled large largest left linguistic listed literal little
local logical long longer low lower male marked masked matching maximum meaningful mentioned minimal minimum missing
mixed modern multiple natural necessary negated negative neutral new nominal normal numeric numerical objective
obvious offensive old open opposite optimal original overall parallel partial particular passive past personal plain
plausible plural polite popular positive possible potential precise present previous primary probable professional
proper provided public quoted racist random real realistic reasonable related relevant reliable requested required
right sad sarcastic semantic separate serious sexist short shorter shortest shown similar simple simpler simplified
single small smallest specific spoken standard stated strong subjective subsequent sufficient suitable surprising
synthetic tentative toxic true typical uncertain underlined underlying ungrammatical unique universal unknown unlikely
unrelated unusual upper vague valid visual weak well worse worst written wrong young
"""
_AREAS = """
academic activity addition agent agree agreement algebra anatomy answerable anti app arabic arbitrary arithmetic art
artist astronomy author average bank banking bengali biology biomedical book bot business called causal chat chemical
chemistry chinese city clarification clinical college command commonsense company computer contradict conversational
country culture customer czech day digital disagree disfluent division doctor dutch economic economics educational
email encyclopedia encyclopedic engineering entail entailed environment especially everyday exam expert extremely
factoid factual film finance financial food french game general geographic geography geometry german government group
health highly hindi historical history hotel humorous hypernym indonesian ingredient involve involved italian japanese
java javascript job journalistic korean language law learning legal lexical life limited literary machine management
marketing math mathematical mathematically mathematics mcq media medical medicine month mostly movie multi
multiplication music musical native news newspaper non nutrition online option1 option2 organisation organization
patient people person personx philosophical philosophy physical physics place placeholder plausibility policy polish
political politics portuguese product programming project prompt psychological psychology public python quiz recipe
reddit regarding relatedness relatively religion religious research respect restaurant retain romanian russian scene
school science scientific sentence1 sentence2 situation slightly social sociology software song spam spanish specified
sport sports sql statistics store student subtraction teacher technical temporal tool topical translated travel trivia
turkish twitter university utilize vietnamese web wikipedia world year
"""

FUNCTION_WORDS = frozenset(stem(word) for word in _FUNCTION.split())
_LANGUAGES = """
afrikaans albanian amharic armenian assamese azerbaijani basque belarusian bosnian bulgarian burmese cantonese catalan
croatian danish estonian farsi finnish galician georgian greek gujarati hausa hebrew hungarian icelandic igbo irish
javanese kannada kazakh khmer kurdish lao latin latvian lithuanian macedonian malay malayalam maltese mandarin marathi
mongolian nepali norwegian pashto persian punjabi quechua sanskrit serbian sinhala slovak slovenian somali swahili
swedish tagalog tamil telugu thai tibetan ukrainian urdu uyghur uzbek welsh xhosa yoruba zulu
"""
_SITES = """
amazon yelp wikipedia wikidata twitter reddit imdb quora stackoverflow stackexchange youtube google facebook github
gitlab cnn bbc arxiv pubmed
"""
TASK_WORDS = frozenset(
    stem(word)
    for block in (_FUNCTION, _ACTS, _TASKS, _NOUNS, _QUALITIES, _AREAS, _LANGUAGES, _SITES)
    for word in block.split()
)


ACTS = frozenset(_ACTS.split())
"""What an instruction can ask for, as verbs in their base form."""
NAMING_ACTS = ACTS & frozenset(_NOUNS.split())
"""Those that are nouns as well: only their place in the sentence tells."""
_ACT_NOUNS = word_set(
    """
    classification translation summarization summarisation summarizing detection generation extraction prediction
    identification recognition completion correction simplification analysis inference reconstruction estimation
    transformation conversion disambiguation resolution retrieval verification evaluation categorization comprehension
    mining
    """
)
_ENDINGS = (("ing", ("", "e")), ("ed", ("", "e")), ("er", ("", "e")), ("ly", ("", "le")), ("d", ("",)))


def is_task_word(word: str) -> bool:
    """Whether the stem, or the verb that it is a form of, is task vocabulary."""
    return word in TASK_WORDS or any(_derived(word, ending, bases, TASK_WORDS) for ending, bases in _ENDINGS)


def names_act(word: str) -> bool:
    """`classification`, `translating`: an act as a noun, whatever stands around it."""
    return word in _ACT_NOUNS or (word not in TASK_WORDS and _derived(word, "ing", ("", "e"), ACTS))


def _derived(word: str, ending: str, bases: tuple[str, ...], table: frozenset[str]) -> bool:
    if not word.endswith(ending) or len(word) <= len(ending) + 2:
        return False
    base = word[: -len(ending)]
    return any(base + more in table for more in bases) or (base[-1:] == base[-2:-1] and base[:-1] in table)
